"""A lead in a real browser: editing in place, notes, what others do meanwhile, the way back to the board."""

import re
import secrets

import pytest


@pytest.fixture
def page(signed_up):
    """Somebody on the page of a lead that they have just made."""
    mark = secrets.token_hex(3)
    page = signed_up(name="Nina Souza", organization=f"Ficha {mark}", email=f"nina-{mark}@ficha.test")
    page.goto(page.url.replace("/day/", "/leads/new/"))
    page.fill("[name=title]", "Padaria Sol")
    page.fill("[name=source]", "Feira")
    page.press("[name=source]", "Enter")
    page.wait_for_url(re.compile(r"/leads/\d+/$"))
    return page


def open_field(page, field: str, text: str | None = None) -> str:
    page.click(f"#fact-{field}-edit")
    selector = f"#fact-{field}-input"
    page.wait_for_selector(f"{selector}:focus")
    if text is not None:
        page.fill(selector, text)
    return selector


def save(page, field: str, text: str) -> None:
    page.press(open_field(page, field, text), "Enter")
    page.wait_for_selector(f"#fact-{field}-edit")


def test_enter_saves_escape_does_not_and_the_focus_stays_at_the_fact(page):
    page.focus("#fact-source-edit")
    page.keyboard.press("Enter")
    page.wait_for_selector("#fact-source-input:focus")
    page.wait_for_selector("[data-live-lock]", state="attached")
    page.keyboard.type(" nova")
    page.keyboard.press("Escape")
    assert "nova" not in page.inner_text("#fact-source")
    assert page.evaluate("document.activeElement.id") == "fact-source-edit"
    page.wait_for_selector("[data-live-lock]", state="detached")
    save(page, "source", "Site")
    page.wait_for_selector("#fact-source-edit:focus")
    assert page.inner_text("#fact-source").strip() == "Site"
    save(page, "title", "<b>Lua</b>")
    assert page.inner_text("#lead-page h2").strip() == "<b>Lua</b>"
    assert page.title().startswith("<b>Lua</b>")


def test_a_bad_value_is_said_at_the_field_and_stays_typed(page):
    selector = open_field(page, "value", "muito")
    page.press(selector, "Enter")
    page.wait_for_selector("#fact-value [role=alert]")
    assert page.input_value(selector) == "muito"
    page.fill(selector, "R$ 1.234,50")
    page.press(selector, "Enter")
    page.wait_for_selector("#fact-value-edit")
    assert "1.234,50" in page.inner_text("#fact-value")


def test_a_draft_and_another_open_field_outlive_a_save(page):
    page.fill("#note-text", "um rascunho")
    source = open_field(page, "source", "Indicação")
    save(page, "company_name", "Sol Ltda")
    assert page.input_value(source) == "Indicação"
    assert page.input_value("#note-text") == "um rascunho"
    page.press(source, "Enter")
    page.wait_for_selector("#fact-source-edit")
    page.focus("#note-text")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".crm-note:has-text('um rascunho')")
    assert page.input_value("#note-text") == ""


def test_two_people_at_one_fact_see_both_values(page):
    other = page.context.new_page()
    other.goto(page.url)
    mine = open_field(page, "source", "Minha")
    save(other, "source", "Sua")
    page.press(mine, "Enter")
    page.wait_for_selector("#fact-source .crm-alert:has-text('Sua')")
    assert page.input_value(mine) == "Minha"
    page.press(mine, "Enter")
    page.wait_for_selector("#fact-source-edit")
    assert page.inner_text("#fact-source").strip() == "Minha"


def test_lost_and_archived_come_back_by_their_toast(page):
    page.click("[data-dialog-open=lose-dialog]")
    page.fill("#lose-reason", "Preço")
    page.keyboard.press("Enter")
    page.wait_for_selector(".crm-alert:has-text('Preço')")
    page.click(".crm-toast [data-toast-action]:visible")
    page.wait_for_selector(".crm-alert:has-text('Preço')", state="detached")
    page.click("form[hx-post$='/archive/'] button")
    page.wait_for_selector("form[hx-post$='/restore/']")
    page.locator(".crm-toast [data-toast-action]:visible").last.click()
    page.wait_for_selector("form[hx-post$='/archive/']")


def test_the_panel_waits_while_one_types_and_closes_back_to_the_board(page):
    elsewhere = page.context.new_page()
    elsewhere.goto(page.url)
    lead = re.search(r"/leads/(\d+)/", page.url)[1]
    page.goto(page.url.split("/leads/")[0] + "/board/?owner=me")
    page.click(f"#lead-{lead}")
    page.wait_for_selector("#lead-panel")
    assert page.url.endswith(f"/leads/{lead}/")
    save(elsewhere, "title", "De fora")
    page.wait_for_selector("#lead-panel h2:has-text('De fora')")
    source = open_field(page, "source", "Digitando")
    save(elsewhere, "title", "De novo")
    page.wait_for_selector(f"#lead-{lead}:has-text('De novo')")
    assert "De fora" in page.inner_text("#lead-panel h2")
    assert page.input_value(source) == "Digitando"
    page.keyboard.press("Escape")
    page.wait_for_selector("#lead-panel h2:has-text('De novo')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#lead-panel", state="detached")
    assert page.url.endswith("/board/?owner=me")
    assert page.evaluate("document.activeElement.closest('.crm-card')?.id") == f"lead-{lead}"
    page.go_back()
    page.wait_for_selector("#lead-panel")
    page.go_back()
    page.wait_for_selector("#lead-panel", state="detached")


def test_a_stage_is_changed_from_the_lead_and_undone(page):
    page.click(".crm-stages li:nth-child(3) button")
    page.wait_for_selector(".crm-stages li:nth-child(3)[aria-current]")
    page.click(".crm-toast [data-toast-action]:visible")
    page.wait_for_selector(".crm-stages li:nth-child(1)[aria-current]")
