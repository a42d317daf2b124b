"""What the processes weigh after they have worked."""

import asyncio
from contextlib import ExitStack

from bench import sample
from bench.live import drops
from bench.meter import megabytes
from bench.people import PER_COLUMN, browser, mover, sign_in
from bench.report import Area, Figure
from bench.servers import GUNICORN, UVICORN, celery, gunicorn, run_django, uvicorn
from bench.setting import Setting

METHOD = """Proportional set size (shared pages divided) of process trees after work: 200 boards of 480 cards, 100
moves and drops before 20 listening colleagues for the web; the import of 2,000 rows for worker and beat. Once as
`./loved up` runs it, everything in one uvicorn, and once as production does, gunicorn for pages and uvicorn for
sockets."""
BOARDS, MOVES, ROWS = 100, 100, 2_000


def run(here: Setting) -> Area:
    """Measure memory."""
    with uvicorn(env=here.env, folder=here.folder, port=here.port) as server:
        work(here, server.address, server.address)
        one = megabytes(server.pid)
    with ExitStack() as stack:
        pages = stack.enter_context(gunicorn("config.wsgi", env=here.env, folder=here.folder, port=here.port))
        sockets = stack.enter_context(uvicorn(env=here.env, folder=here.folder))
        work(here, pages.address, sockets.address)
        both = megabytes(pages.pid), megabytes(sockets.pid)
    with ExitStack() as stack:
        worker = stack.enter_context(celery("worker", env=here.env, folder=here.folder))
        beat = stack.enter_context(celery("beat", env=here.env, folder=here.folder))
        import_by_worker(here)
        background = megabytes(worker.pid), megabytes(beat.pid)
    figures = [
        Figure("production: gunicorn and uvicorn", sum(both), "MB", limit=313),
        Figure("of that gunicorn, 2 workers × 4 threads", both[0], "MB"),
        Figure("of that uvicorn, sockets", both[1], "MB"),
        Figure("./loved up: one uvicorn", one, "MB", limit=313),
        Figure("worker and beat", sum(background), "MB", limit=250),
        Figure("of that worker, 2 processes", background[0], "MB"),
        Figure("of that beat", background[1], "MB"),
    ]
    server_names = f"{GUNICORN}; {UVICORN}; Celery, 2 processes"
    return Area("memory", "Memory", server_names, METHOD, figures)


def work(here: Setting, pages: str, sockets: str) -> None:
    """Do what a busy morning does to the web processes."""
    with browser(pages) as person:
        sign_in(person)
        for slug in ("bench1k", "bench10k"):
            for _number in range(BOARDS):
                person.get(f"/o/{slug}/board/?per_column={PER_COLUMN}").raise_for_status()
        somebody = mover(person, here.database_url, "bench1k")
        for _number in range(MOVES):
            somebody.move()
        cookies = "; ".join(f"{name}={value}" for name, value in person.cookies.items())
        asyncio.run(drops(here, sockets, pages, somebody, [cookies] * 20))


def import_by_worker(here: Setting) -> None:
    """Owe the worker an import, and wait until it is done."""
    path = here.folder / "leads.csv"
    sample.write(path, ROWS)
    run_django("-m", "bench.provision", "import", str(path), env=here.env)
