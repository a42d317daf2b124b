"""The shell around every page: theme, menus, keys, questions, toasts, failures."""

import secrets

import pytest

BIG_ENOUGH = 40  # a fingertip, less a rounding


@pytest.fixture
def page(signed_up):
    mark = secrets.token_hex(3)
    return signed_up(name="Nina Souza", organization=f"Casca {mark}", email=f"nina-{mark}@casca.test")


def is_dark(page) -> bool:
    return page.evaluate("document.documentElement.classList.contains('dark')")


def test_the_theme_is_shown_at_once_and_remembered(page):
    assert not is_dark(page)
    page.click("#crm-user > button")
    with page.expect_response(
        lambda response: response.url.endswith("/profile/") and response.request.method == "POST"
    ):
        page.click("#crm-theme-dark")
    assert is_dark(page)
    page.reload()
    assert is_dark(page)
    assert page.get_attribute("#crm-theme-dark", "aria-checked") == "true"
    page.goto("/profile/")
    assert is_dark(page), "the choice belongs to the person, not to the organization"


def test_without_a_choice_the_device_decides(browser_of):
    assert is_dark(browser_of_page(browser_of, dark=True))
    assert not is_dark(browser_of_page(browser_of, dark=False))


def browser_of_page(browser_of, *, dark: bool):
    page = browser_of(dark=dark)
    page.goto("/accounts/login/")
    return page


def test_the_rail_stays_as_narrow_as_it_was_left(page):
    wide = page.locator(".crm-rail").bounding_box()["width"]
    page.click("[data-rail-toggle]")
    page.reload()
    narrow = page.locator(".crm-rail").bounding_box()["width"]
    assert (wide, narrow) == (240, 64)
    page.keyboard.press("\\")
    page.wait_for_timeout(400)  # it widens in a short movement
    assert page.locator(".crm-rail").bounding_box()["width"] == 240


def test_the_question_mark_lists_the_keys_and_typing_does_not(page):
    page.goto(page.url.replace("/day/", "/leads/new/"))
    page.locator("main input").first.press("?")
    assert page.locator("#crm-shortcuts[open]").count() == 0
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("?")
    page.wait_for_selector("#crm-shortcuts[open] dl >> text=?")
    page.keyboard.press("Escape")
    page.evaluate("localStorage.setItem('crm:shortcuts-off', 'yes')")
    page.keyboard.press("?")
    assert page.locator("#crm-shortcuts[open]").count() == 0


def test_a_destructive_form_asks_first(page):
    page.goto(page.url.replace("/day/", "/settings/"))
    form = page.locator("form[data-confirm]")
    form.locator("[name=slug]").fill("wrong")
    form.locator("button").click()
    page.click("#crm-confirm button[value=no]")
    assert page.url.endswith("/settings/")
    form.locator("button").click()
    with page.expect_request(lambda request: request.method == "POST" and "remove" in request.url):
        page.click("#crm-confirm button[value=yes]")


def test_a_failure_is_never_silent(page):
    page.route("**/fails/*", lambda route: route.fulfill(status=int(route.request.url.rsplit("/", 1)[-1])))
    for address in ("/fails/404", "/fails/409"):
        page.evaluate(f"htmx.ajax('GET', '{address}', {{target: '#main', swap: 'innerHTML'}}).catch(() => 0)")
        page.wait_for_selector("#toaster .crm-toast[data-category=error][role=alert]")
        assert page.locator("#main h2, #main h1, #main a").count(), "the page must stay as it was"
        page.click("#toaster .crm-toast[data-category=error] [data-toast-close]")
        page.locator("#toaster .crm-toast[data-category=error]").wait_for(state="detached")
        page.wait_for_timeout(1600)  # one broken connection is told once


def test_a_toast_waits_under_the_pointer_and_its_words_are_text(page):
    page.evaluate(
        """import("crm/app").then(({toast}) => toast({category: "success", title: "<img src=x onerror=alert(1)>",
        description: "fim", action: {label: "Desfazer", run: () => { document.title = "undone" }}}))"""
    )
    toast = page.locator(".crm-toast[data-category=success]")
    toast.wait_for()
    assert toast.locator("[data-toast-title]").text_content() == "<img src=x onerror=alert(1)>"
    toast.hover()
    page.wait_for_timeout(6500)
    assert toast.count() == 1
    toast.locator("[data-toast-action]").click()
    toast.wait_for(state="detached")
    assert page.title() == "undone"


def test_being_offline_is_said_and_taken_back(page):
    page.context.set_offline(True)
    page.wait_for_selector("#crm-offline:visible")
    page.context.set_offline(False)
    page.wait_for_selector("#crm-offline", state="hidden")


def test_a_morph_keeps_what_is_typed_and_menus_alive(page):
    page.click("#crm-user > button")
    page.evaluate("""() => {
        document.querySelector("#main").insertAdjacentHTML("afterbegin", "<p id='box'><input id='typed' value=''></p>")
        document.querySelector("#typed").focus()
    }""")
    page.keyboard.type("meio caminho")
    page.evaluate("""() => {
        Idiomorph.morph(document.querySelector("#box"), "<p id='box' class='new'><input id='typed' value='velho'></p>")
        const menu = document.querySelector("#crm-user")
        const fresh = menu.cloneNode(true)
        fresh.removeAttribute("data-dropdown-menu-initialized")
        fresh.removeAttribute("data-basecoat-component")
        Idiomorph.morph(menu, fresh.outerHTML)
        basecoat.initAll()
    }""")
    assert page.input_value("#typed") == "meio caminho"
    assert page.get_attribute("#box", "class") == "new"
    assert page.evaluate("document.activeElement.id") == "typed"
    page.keyboard.press("Escape")
    page.evaluate("document.getElementById('crm-user').close(false)")
    page.click("#crm-user > button")
    assert page.get_attribute("#crm-user > button", "aria-expanded") == "true"
    page.click("#crm-user > button")
    assert page.get_attribute("#crm-user > button", "aria-expanded") == "false"


def test_the_phone_reaches_every_page_by_thumb(signed_up):
    mark = secrets.token_hex(3)
    page = signed_up(
        name="Teo Lima", organization=f"Bolso {mark}", email=f"teo-{mark}@casca.test", width=390, height=844, touch=True
    )
    assert not page.locator(".crm-rail").is_visible()
    for tab in page.locator(".crm-tabbar > *").all():
        box = tab.bounding_box()
        assert box["height"] >= BIG_ENOUGH
        assert box["width"] >= BIG_ENOUGH
    page.tap(".crm-tabbar button")
    sheet = page.locator("#crm-more[open]")
    assert sheet.locator("a[href$='/people/']").is_visible()
    assert sheet.locator("a[href='/profile/']").is_visible()
    sheet.locator("a[href$='/imports/']").tap()
    page.wait_for_url("**/imports/")


def test_the_first_tab_stop_jumps_over_the_menu(page):
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "crm-skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
