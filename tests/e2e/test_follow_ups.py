"""Next steps in a real browser: planned, changed, done, asked for again, on a lead and in my day."""

import re
import secrets

import pytest


@pytest.fixture
def page(signed_up):
    """Somebody on the page of a lead of theirs for which nothing is planned."""
    mark = secrets.token_hex(3)
    page = signed_up(name="Nina Souza", organization=f"Passos {mark}", email=f"nina-{mark}@passos.test")
    page.goto(page.url.replace("/day/", "/leads/new/"))
    page.fill("[name=title]", "Padaria Sol")
    page.press("[name=title]", "Enter")
    page.wait_for_url(re.compile(r"/leads/\d+/$"))
    return page


def plan(page, title: str) -> None:
    page.fill("#plan-title", title)
    page.click("#plan-step .crm-form-actions button")
    page.wait_for_selector(f".crm-step:has-text('{title}')")


def test_what_is_done_asks_for_the_next_step_and_can_be_undone(page):
    assert page.locator("#steps-plan[open]").count() == 1
    plan(page, "Ligar para a Rosa")
    assert page.locator("#steps-plan[open]").count() == 0
    assert page.input_value("#plan-title") == ""
    page.click(".crm-step-check")
    page.wait_for_selector("#plan-title:focus")
    assert page.locator(".crm-step").count() == 0
    page.locator(".crm-toast [data-toast-action]:visible").last.click()
    page.wait_for_selector(".crm-step:has-text('Ligar para a Rosa')")


def test_a_step_is_changed_in_its_place_and_escape_leaves_it(page):
    plan(page, "Ligar")
    page.click(".crm-step-actions > button")
    page.wait_for_selector(".crm-step [name=title]:focus")
    page.keyboard.type(" amanhã")
    page.keyboard.press("Escape")
    page.wait_for_selector(".crm-step strong")
    assert page.inner_text(".crm-step strong") == "Ligar"
    page.click(".crm-step-actions > button")
    page.fill(".crm-step [name=title]", "Escrever")
    page.press(".crm-step [name=title]", "Enter")
    page.wait_for_selector(".crm-step strong:has-text('Escrever')")


def test_a_half_typed_step_outlives_a_saved_note_and_a_refusal(page):
    page.fill("#plan-title", "Meio digitado")
    page.fill("#note-text", "Uma anotação")
    page.click("[data-note-form] button")
    page.wait_for_selector(".crm-note")
    page.wait_for_function("document.querySelector('#plan-title').value === 'Meio digitado'")
    page.fill("#plan-day", "")
    page.click("#plan-step .crm-form-actions button")
    page.wait_for_selector("#plan-step [role=alert]")
    assert page.input_value("#plan-title") == "Meio digitado"


def test_my_day_is_worked_off_by_pressing_what_is_done(page):
    plan(page, "Ligar hoje")
    page.goto(re.sub(r"leads/\d+/$", "day/", page.url))
    page.click(".crm-step:has-text('Ligar hoje') .crm-step-check")
    page.wait_for_selector(".crm-step", state="detached")
    assert "Padaria Sol" in page.inner_text("[aria-labelledby=day-unplanned]")
    page.locator(".crm-toast [data-toast-action]:visible").last.click()
    page.wait_for_selector(".crm-step:has-text('Ligar hoje')")
