"""The promise of the README, in two real browsers."""

import csv
import re
import secrets
from pathlib import Path

import pytest


@pytest.fixture
def spreadsheet(tmp_path) -> Path:
    """A sheet as agencies have them: Portuguese headings, semicolons, Windows-1252."""
    path = tmp_path / "leads.csv"
    with path.open("w", newline="", encoding="cp1252") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Nome", "E-mail", "Telefone", "Empresa", "Valor", "Origem"])
        for number in range(1, 61):
            writer.writerow(
                [
                    f"Pessoa {number:02d}",
                    f"pessoa{number}@cliente.test",
                    f"(11) 9{number:04d}-{number:04d}",
                    f"Padaria São João {number:02d}",
                    f"R$ {number}.000,00",
                    "Instagram",
                ]
            )
    return path


def drag(page, source: str, target: str) -> None:
    """Drag by the mouse as a hand does: press, a first small move, several steps, release."""
    start = page.locator(source).bounding_box()
    end = page.locator(target).bounding_box()
    page.mouse.move(start["x"] + 60, start["y"] + 14)
    page.mouse.down()
    page.mouse.move(start["x"] + 70, start["y"] + 24, steps=4)
    page.mouse.move(end["x"] + 80, end["y"] + 60, steps=14)
    page.mouse.move(end["x"] + 82, end["y"] + 64, steps=3)
    page.mouse.up()


def test_sign_up_import_invite_drag_and_see_it_elsewhere(signed_up, browser_of, spreadsheet):
    mark = secrets.token_hex(3)
    ana = signed_up(name="Ana Prado", organization=f"Jornada {mark}", email=f"ana-{mark}@jornada.test")

    # Import a spreadsheet, look at what it will become, and watch it go in.
    ana.click("nav.crm-rail a[href$='/imports/']")
    ana.locator("a[href$='/imports/new/']").first.click()
    ana.set_input_files("input[type=file]", str(spreadsheet))
    if ana.locator("main form button[type=submit]").count():
        ana.locator("main form button[type=submit]").first.click()
    ana.wait_for_url(re.compile(r"/imports/\d+/"))
    ana.locator("[data-import-start]").click()
    ana.wait_for_selector("[data-import-created='60']", timeout=30_000)

    # Invite a colleague by link, who comes with a browser of their own.
    ana.goto(ana.url.split("/imports/")[0] + "/people/")
    ana.click("form[action$='/people/invitations/'] button.btn")
    link = ana.input_value("#invitation-link")
    bia = browser_of()
    bia.goto(link)
    bia.click("a[href$='/accounts/signup/']")
    bia.fill("[name=name]", "Bia Lima")
    bia.fill("[name=email]", f"bia-{mark}@jornada.test")
    bia.fill("[name=password1]", "senha-bem-longa-1")
    bia.check("[name=consent]")
    bia.click("main form button.btn")
    bia.wait_for_url("**/invite/**")
    bia.click("main form button.btn")
    bia.wait_for_url("**/day/")

    # Both look at the board; Ana drags, Bia sees it and is told who did it.
    for page in (ana, bia):
        page.goto(page.url.split("/day/")[0].split("/people/")[0] + "/board/")
        page.wait_for_selector(".crm-card")
        page.wait_for_selector("[data-live=open]", state="attached")
    columns = ana.locator("section.crm-column")
    assert columns.count() == 5
    first = ana.locator("section.crm-column").nth(0).locator(".crm-card").first.get_attribute("id")
    target = ana.locator("section.crm-column").nth(2).get_attribute("id")
    assert first
    assert target
    with ana.expect_response(lambda response: "/move/" in response.url and response.status == 200):
        drag(ana, f"#{first}", f"#{target}")
    ana.wait_for_selector(f"#{target} #{first}")
    bia.wait_for_selector(f"#{target} #{first}", timeout=5_000)
    bia.wait_for_selector("#toaster >> text=Ana Prado", timeout=5_000)

    # Ana takes it back, and both boards agree.
    source = ana.locator("section.crm-column").nth(0).get_attribute("id")
    ana.locator("#toaster button", has_text=re.compile("Desfazer|Undo")).first.click()
    ana.wait_for_selector(f"#{source} #{first}")
    bia.wait_for_selector(f"#{source} #{first}", timeout=5_000)
    for page in (ana, bia):
        assert page.evaluate(
            "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
            " === document.querySelectorAll('[id]').length"
        )

    # The history shows both.
    ana.locator(f"#{first} a").first.click()
    ana.wait_for_selector("#panel .crm-timeline")
    assert ana.locator("#panel .crm-timeline >> text=Proposta").count() >= 2


@pytest.mark.parametrize("width", [390, 1440])
def test_no_page_scrolls_sideways(signed_up, width):
    mark = secrets.token_hex(3)
    page = signed_up(name="Rita Reis", organization=f"Largura {mark}", email=f"rita-{mark}@jornada.test", width=width)
    base = page.url.split("/day/")[0]
    for path in ("/day/", "/board/", "/leads/", "/leads/new/", "/imports/", "/imports/new/", "/people/", "/settings/"):
        page.goto(base + path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    for path in (
        "/profile/",
        "/organizations/",
        "/accounts/email/",
        "/accounts/password/change/",
        "/terms/",
        "/outbox/",
    ):
        page.goto(path)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
