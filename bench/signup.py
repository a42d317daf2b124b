"""From the sign-up form to the board of a new organization."""

import statistics
import time

from bench.people import browser, token_of
from bench.report import Area, Figure
from bench.servers import GUNICORN, gunicorn, run_django
from bench.setting import Setting

METHOD = """Somebody fills in the sign-up form; the clock runs from its submission until the empty board has arrived,
redirects included: login and password hash, organization, owner, default pipeline, the board. Once with a spare
schema waiting, as the worker keeps them, once with none, so that the schema is cloned meanwhile. Median of each."""
ROUNDS, TIMES = 3, 3


def run(here: Setting) -> Area:
    """Measure sign-ups."""
    with gunicorn("config.wsgi", env=here.env, folder=here.folder, port=here.port) as server:
        with_spare, without = [], []
        for number in range(ROUNDS + 1):
            run_django("-m", "bench.provision", "spares", str(TIMES), env=here.env)
            spared = [sign_up(server.address, 10 * number + each) for each in range(TIMES)]
            cloned = [sign_up(server.address, 10 * number + each) for each in range(TIMES, 2 * TIMES)]
            if number:  # the first round warms both workers
                with_spare += spared
                without += cloned
    figures = [
        Figure("sign-up to board, spare schema waiting", statistics.median(with_spare), "s", limit=1),
        Figure("slowest of them", max(with_spare), "s"),
        Figure("sign-up to board, schema cloned meanwhile", statistics.median(without), "s"),
    ]
    return Area("signup", "Sign-up", GUNICORN, METHOD, figures)


def sign_up(address: str, number: int) -> float:
    """Sign somebody up, from an address of their own, and look at their board; return how many seconds it took."""
    with browser(address, visitor=number + 1) as person:
        form = {
            "name": "Nova Pessoa",
            "organization": f"Empresa {number}",
            "email": f"nova{number}@bench.test",
            "password1": "senha-bem-longa-1",
            "consent": "on",
            "csrfmiddlewaretoken": token_of(person.get("/accounts/signup/")),
        }
        began = time.perf_counter()
        answer = person.post("/accounts/signup/", data=form)
        while answer.is_redirect and not answer.headers["Location"].startswith("/o/"):
            answer = person.get(answer.headers["Location"])
        if not answer.is_redirect:
            raise RuntimeError(f"signing up ended at {answer.url} with {answer.status_code}: {answer.text[:300]}")
        slug = answer.headers["Location"].split("/")[2]
        board = person.get(f"/o/{slug}/board/")
        seconds = time.perf_counter() - began
    if board.status_code != 200 or 'id="stage-' not in board.text:
        raise RuntimeError(f"the board answered {board.status_code}: {board.text[:300]}")
    return seconds
