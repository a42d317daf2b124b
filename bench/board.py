"""The board with 480 cards, at 1,000 and at 10,000 leads, beside the floor's."""

from contextlib import ExitStack

from bench.measure import Subject, in_rounds
from bench.people import PER_COLUMN, browser, cards_in, sign_in
from bench.report import Area, Figure
from bench.servers import GUNICORN, gunicorn
from bench.setting import Setting, bare_process

BARE = "bare SQL + Jinja2"
METHOD = """One signed-in manager loads the board page of six stages with `per_column=80`, one request at a time,
through the whole product: session, member, rights, content security policy, live position. *CPU* is processor time of
the server's processes and of PostgreSQL per request. In turn with it, on the same leads: the same cards by two SQL
statements and Jinja2 in a process without a server (the base of the ratios), and the floor, one file of bare Django
on the same gunicorn, by SQL and by the ORM."""


def run(here: Setting) -> Area:
    """Measure the board."""
    with ExitStack() as stack:
        ours = stack.enter_context(gunicorn("config.wsgi", env=here.env, folder=here.folder, port=here.port))
        floor = stack.enter_context(gunicorn("bench.floor.app:application", env=here.env, folder=here.folder))
        bare = stack.enter_context(bare_process(here))
        person = stack.enter_context(browser(ours.address))
        anybody = stack.enter_context(browser(floor.address))
        sign_in(person)
        boards = {size: f"/o/{size}/board/?per_column={PER_COLUMN}" for size in ("bench1k", "bench10k")}
        cards, size = look(person.get(boards["bench1k"]))
        subjects = {
            "1k": Subject(lambda: look(person.get(boards["bench1k"])), ours.pid, 20),
            "10k": Subject(lambda: look(person.get(boards["bench10k"])), ours.pid, 20),
            "bare": Subject(lambda: bare.board("bench1k"), bare.process.pid, 60),
            "floor, SQL": Subject(lambda: look(anybody.get("/sql/bench1k/")), floor.pid, 20),
            "floor, ORM": Subject(lambda: look(anybody.get("/orm/bench1k/")), floor.pid, 20),
        }
        costs = in_rounds(subjects, rounds=here.rounds, postgres=here.postgres)
    base = costs["bare"].cpu
    figures = [
        Figure("board, 1,000 leads: CPU", costs["1k"].cpu, "ms", base=base, base_name=BARE, times=5),
        Figure("board, 10,000 leads: CPU", costs["10k"].cpu, "ms", base=base, base_name=BARE, times=5),
        Figure(
            "10,000 against 1,000 leads: CPU",
            costs["10k"].cpu,
            "ms",
            base=costs["1k"].cpu,
            base_name="1,000",
            times=1.3,
        ),
        Figure("board, 1,000 leads: of that PostgreSQL", costs["1k"].postgres, "ms"),
    ]
    for name in ("1k", "10k"):
        figures.append(Figure(f"board, {name}: p50", costs[name].p50, "ms"))
        figures.append(Figure(f"board, {name}: p95", costs[name].p95, "ms"))
    figures.append(Figure(f"board, cards on {size // 1024} KB of HTML", cards, "cards"))
    figures += [Figure(f"{name}: CPU", costs[name].cpu, "ms") for name in ("bare", "floor, SQL", "floor, ORM")]
    return Area("board", "Board", GUNICORN, METHOD, figures)


def look(answer: object) -> tuple[int, int]:
    """Refuse anything but a board with cards; return how many and how long the page is."""
    text, status = getattr(answer, "text", ""), getattr(answer, "status_code", 0)
    cards = cards_in(text)
    if status != 200 or cards < 400:
        raise RuntimeError(f"the board answered {status} with {cards} cards: {text[:300]}")
    return cards, len(text)
