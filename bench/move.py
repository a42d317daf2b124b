"""A card dropped into another column, beside the floor's move."""

import itertools
import random
from contextlib import ExitStack

from bench.measure import Subject, in_rounds
from bench.people import browser, mover, sign_in
from bench.report import Area, Figure
from bench.servers import GUNICORN, gunicorn
from bench.setting import Setting

FLOOR = "the floor"
METHOD = """One signed-in manager drops cards into other columns, one at a time, half of them below another card: what
the board posts, with CSRF token and version. The product locks both columns, checks rights and version, writes lead,
stage history and audit, commits durably, announces, and answers with the card, both columns' totals and the undo. The
floor locks the lead, writes its stage, commits, publishes. In turn, on the same leads."""
COUNT = 60


def run(here: Setting) -> Area:
    """Measure the move."""
    with ExitStack() as stack:
        ours = stack.enter_context(gunicorn("config.wsgi", env=here.env, folder=here.folder, port=here.port))
        floor = stack.enter_context(gunicorn("bench.floor.app:application", env=here.env, folder=here.folder))
        person = stack.enter_context(browser(ours.address))
        anybody = stack.enter_context(browser(floor.address))
        sign_in(person)
        movers = {size: mover(person, here.database_url, size) for size in ("bench1k", "bench10k")}
        chance, stages = random.Random(42), itertools.cycle(range(1, 7))
        subjects = {
            "1k": Subject(movers["bench1k"].move, ours.pid, COUNT),
            "10k": Subject(movers["bench10k"].move, ours.pid, COUNT),
            "floor": Subject(
                lambda: anybody.post(f"/move/bench1k/{chance.randint(1, 1000)}/{next(stages)}/").raise_for_status(),
                floor.pid,
                COUNT,
            ),
        }
        costs = in_rounds(subjects, rounds=here.rounds, postgres=here.postgres)
    base = costs["floor"].cpu
    figures = []
    for name, leads in (("1k", "1,000"), ("10k", "10,000")):
        cost = costs[name]
        figures += [
            Figure(f"move, {leads} leads: CPU", cost.cpu, "ms", base=base, base_name=FLOOR, times=3.5),
            Figure(f"move, {leads} leads: of that PostgreSQL", cost.postgres, "ms"),
            Figure(f"move, {leads} leads: p50", cost.p50, "ms"),
            Figure(f"move, {leads} leads: p95", cost.p95, "ms"),
        ]
    figures.append(Figure("floor's move: CPU", base, "ms"))
    figures.append(Figure("floor's move: p50", costs["floor"].p50, "ms"))
    return Area("move", "Move", GUNICORN, METHOD, figures)
