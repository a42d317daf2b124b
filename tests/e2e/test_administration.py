"""An administrator's admin in a real browser: no complaint of the content security policy, usable on a phone."""

import secrets

import pytest

PAGES = [
    "", "members/member/", "members/team/add/", "crm/stage/", "crm/stage/add/", "members/auditentry/", "tenants/due/",
]  # fmt: skip


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (390, True)])
def test_every_kind_of_page_is_clean_and_fits(signed_up, width, dark):
    mark = secrets.token_hex(3)
    page = signed_up(
        name="Rita Reis", organization=f"Reis {mark}", email=f"rita-{mark}@reis.test", width=width, dark=dark
    )
    page.goto(page.url.replace("/day/", "/settings/"))
    page.click("a[href$='/admin/']")
    page.wait_for_url("**/admin/")
    home = page.url
    for path in PAGES:
        page.goto(home + path)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, path
        assert page.evaluate("document.documentElement.classList.contains('dark')") is dark
        assert page.get_attribute("html", "lang") == "pt-br"


def test_a_stage_is_renamed_and_offered_by_its_new_name(signed_up):
    mark = secrets.token_hex(3)
    page = signed_up(name="Rui Reis", organization=f"Rui {mark}", email=f"rui-{mark}@reis.test")
    home = page.url.replace("/day/", "/")
    page.goto(f"{home}admin/crm/stage/")
    page.click("#result_list a:text('Contato')")
    page.fill("[name=name]", "Primeira conversa")
    page.click("[name=_save]")
    page.wait_for_selector(".messagelist .success")
    page.goto(f"{home}leads/new/")
    assert "Primeira conversa" in page.inner_text("main select[name=stage]")
