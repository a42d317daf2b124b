"""Two people on one board, when things cross."""

import re
import secrets

import pytest
from django.conf import settings

NAMES = ["Padaria Sol", "Clínica Viva", "Studio Nós", "Auto Ramos", "Colégio Mar"]

MAKE = """async ([path, title]) => {
  const headers = {...JSON.parse(document.body.getAttribute("hx-headers")), "HX-Request": "true"}
  await fetch(path, {method: "POST", headers, body: new URLSearchParams({title, value: "1000"})})
}"""


def card(title: str) -> str:
    return f'.crm-card:has(a:text-is("{title}"))'


def column(number: int) -> str:
    return f"section.crm-column:nth-of-type({number})"


def titles(page, number: int) -> list[str]:
    return page.locator(f"{column(number)} .crm-card-title a").all_inner_texts()


def count(page, number: int) -> str:
    return page.locator(f"{column(number)} [data-count-text]").inner_text()


def open_board(page, base: str) -> None:
    page.goto(base + "/board/")
    page.wait_for_selector("[data-live=open]", state="attached")


def ids_are_unique(page) -> bool:
    ids = page.eval_on_selector_all("[id]", "elements => elements.map(element => element.id)")
    return len(ids) == len(set(ids))


def grab(page, title: str) -> None:
    box = page.locator(card(title)).bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 90, box["y"] + 70, steps=4)


def carry_to(page, number: int) -> None:
    box = page.locator(f"{column(number)} .crm-column-cards").bounding_box()
    page.mouse.move(box["x"] + 90, box["y"] + 30, steps=12)
    page.mouse.move(box["x"] + 92, box["y"] + 34, steps=3)


def move_by_menu(page, title: str, stage: str) -> None:
    page.locator(card(title)).hover()
    page.locator(f"{card(title)} .crm-card-menu").click()
    with page.expect_response(lambda response: "/move/" in response.url):
        page.locator("#board-move [data-to]", has_text=stage).click()


@pytest.fixture
def two(signed_up, browser_of):
    """Ana and Bia of one organization, both on a board with five leads in its first column."""
    mark = secrets.token_hex(3)
    ana = signed_up(name="Ana Prado", organization=f"Dupla {mark}", email=f"ana-{mark}@dupla.test")
    base = ana.url.split("/day/")[0]
    ana.goto(base + "/people/")
    ana.select_option("form[action$='/people/invitations/'] select[name=role]", "manager")
    ana.click("form[action$='/people/invitations/'] button.btn")
    link = ana.input_value("#invitation-link")
    bia = browser_of()
    bia.goto(link)
    bia.click("a[href$='/accounts/signup/']")
    bia.fill("[name=name]", "Bia Lima")
    bia.fill("[name=email]", f"bia-{mark}@dupla.test")
    bia.fill("[name=password1]", "senha-bem-longa-1")
    bia.check("[name=consent]")
    bia.click("main form button.btn")
    bia.wait_for_url("**/invite/**")
    bia.click("main form button.btn")
    bia.wait_for_url("**/day/")
    open_board(ana, base)
    stage = ana.locator(column(1)).get_attribute("data-stage")
    path = ana.locator("#board").get_attribute("data-create").replace("/0/", f"/{stage}/")
    for name in reversed(NAMES):
        ana.evaluate(MAKE, [path, name])
    for page in (ana, bia):
        open_board(page, base)
        assert titles(page, 1) == NAMES
    return ana, bia


def test_a_card_that_somebody_else_moves_while_it_is_in_the_hand(two):
    ana, bia = two
    grab(ana, "Padaria Sol")
    carry_to(ana, 2)
    move_by_menu(bia, "Padaria Sol", "Proposta")
    ana.wait_for_timeout(600)
    # Nothing happens to a card in the hand: one on the board, one that flies, no more.
    assert ana.locator(f"#board {card('Padaria Sol')}").count() == 1
    assert ana.locator("body > .crm-card").count() == 1
    with ana.expect_response(lambda response: "/move/" in response.url) as refused:
        ana.mouse.up()
    assert refused.value.status == 409
    ana.wait_for_selector("#toaster >> text=Bia Lima")
    ana.wait_for_selector(f"{column(3)} {card('Padaria Sol')}")
    assert ana.locator(card("Padaria Sol")).count() == 1
    assert "".join(count(ana, number) for number in range(1, 6)) == "40100"
    assert "".join(count(bia, number) for number in range(1, 6)) == "40100"
    assert ids_are_unique(ana)
    # The lists are free again.
    grab(ana, "Clínica Viva")
    carry_to(ana, 2)
    ana.mouse.up()
    bia.wait_for_selector(f"{column(2)} {card('Clínica Viva')}")


def test_changes_around_a_card_in_the_hand_wait_until_it_has_landed(two):
    ana, bia = two
    grab(ana, "Padaria Sol")
    carry_to(ana, 2)
    move_by_menu(bia, "Studio Nós", "Proposta")
    move_by_menu(bia, "Auto Ramos", "Contato")
    ana.wait_for_timeout(500)
    assert titles(ana, 3) == []
    with ana.expect_response(lambda response: "/move/" in response.url and response.status == 200):
        ana.mouse.up()
    ana.wait_for_selector(f"{column(3)} {card('Studio Nós')}")
    bia.wait_for_selector(f"{column(2)} {card('Padaria Sol')}")
    ana.wait_for_selector(f"{column(2)} {card('Auto Ramos')}")
    for number in range(1, 6):
        assert titles(ana, number) == titles(bia, number)
        assert count(ana, number) == count(bia, number)


def test_what_was_missed_is_drawn_anew(two):
    """Numbers that never arrived are a gap; the next announcement shows it."""
    import redis

    ana, bia = two
    valkey = redis.Redis.from_url(settings.REDIS_URL.replace("db=0", "db=7"))
    for key in valkey.scan_iter("live:*.board.*"):
        valkey.hincrby(key, "number", 3)
    with ana.expect_response(lambda response: "/columns/" in response.url):
        move_by_menu(bia, "Studio Nós", "Proposta")
    ana.wait_for_selector(f"{column(3)} {card('Studio Nós')}")
    assert titles(ana, 1) == [name for name in NAMES if name != "Studio Nós"]
    # From here on single changes come singly again.
    with ana.expect_response(lambda response: "/delta/" in response.url):
        move_by_menu(bia, "Padaria Sol", "Contato")
    ana.wait_for_selector(f"{column(2)} {card('Padaria Sol')}")
    assert ids_are_unique(ana)


def test_a_board_with_filters_keeps_to_them(two):
    ana, bia = two
    with bia.expect_response(lambda response: "q=Padaria" in response.url):
        bia.fill("#board-q", "Padaria")
    bia.wait_for_selector(".crm-chip[data-removable]")
    assert titles(bia, 1) == ["Padaria Sol"]
    assert count(bia, 1) == "1"
    move_by_menu(ana, "Clínica Viva", "Contato")
    move_by_menu(ana, "Padaria Sol", "Proposta")
    bia.wait_for_selector(f"{column(3)} {card('Padaria Sol')}")
    assert [count(bia, number) for number in (1, 2, 3)] == ["0", "0", "1"]
    assert bia.locator(".crm-card").count() == 1
    assert "q=Padaria" in bia.url
    assert bia.evaluate("document.activeElement.id") == "board-q"


def test_a_card_is_made_moved_and_opened_by_keyboard_alone(two):
    ana, bia = two
    ana.focus(f"{card('Studio Nós')} a")
    ana.keyboard.press("c")
    ana.keyboard.press("Enter")
    ana.wait_for_selector("[data-quick] [aria-invalid=true]")
    ana.keyboard.type("Nova Loja")
    ana.keyboard.press("Enter")
    bia.wait_for_selector(f"{column(1)} {card('Nova Loja')}")
    ana.keyboard.press("Escape")
    ana.focus(f"{card('Nova Loja')} a")
    ana.keyboard.press("ArrowDown")
    assert ana.evaluate("document.activeElement.textContent") == "Padaria Sol"
    ana.keyboard.press("m")
    ana.keyboard.press("ArrowDown")
    ana.keyboard.press("Enter")
    bia.wait_for_selector(f"{column(2)} {card('Padaria Sol')}")
    assert ana.evaluate("document.activeElement.textContent") == "Padaria Sol"
    ana.keyboard.press("Enter")
    ana.wait_for_url(re.compile(r"/leads/\d+/$"))
    ana.wait_for_selector("#panel [data-lead]")
    # The open panel follows what somebody else does to its lead.
    move_by_menu(bia, "Padaria Sol", "Proposta")
    ana.wait_for_selector("#panel [aria-current=step] >> text=Proposta")
    ana.keyboard.press("Escape")
    ana.wait_for_url("**/board/")
    assert ana.evaluate("document.activeElement.textContent") == "Padaria Sol"


def test_without_a_line_the_board_says_so_and_catches_up(two):
    ana, bia = two
    ana.context.set_offline(True)
    ana.wait_for_selector("#crm-offline", state="visible")
    grab(ana, "Padaria Sol")
    carry_to(ana, 2)
    ana.mouse.up()
    ana.wait_for_selector("#toaster [role=alert]")
    assert titles(ana, 1) == NAMES
    move_by_menu(bia, "Studio Nós", "Proposta")
    ana.context.set_offline(False)
    ana.wait_for_selector("#crm-offline", state="hidden")
    ana.wait_for_selector(f"{column(3)} {card('Studio Nós')}")
