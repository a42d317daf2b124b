"""The commands of ./loved that run one thing and end: tests, benchmarks, checks, management commands."""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from core.supervisor.environment import for_django, own_environment
from core.supervisor.places import ROOT, Place, place_at
from core.supervisor.processes import Command, Family
from core.supervisor.servers import Hold, read_holder, services
from core.supervisor.terminal import Interrupts, Trouble, say

NO_TESTS_COLLECTED = 5
CHECKS: dict[str, Command] = {
    "lint": ("ruff", "check", "."),
    "format": ("ruff", "format", "--check", "."),
    "types": ("mypy", "."),
    "system": ("manage.py", "check"),
    "templates": ("manage.py", "templates"),
    "translations": ("manage.py", "translations", "--check"),
}


@dataclass(frozen=True)
class Session:
    """A terminal session: the environment for our processes, and a request to stop."""

    env: dict[str, str]
    place: Place
    interrupts: Interrupts

    def run(self, command: Command, *, cwd: Path = ROOT) -> int:
        """Run a command that owns the terminal meanwhile; return its exit code as a shell would."""
        self.interrupts.obey()
        family = Family(self.place.home)
        try:
            child = family.start_in_terminal([sys.executable, *command], env=self.env, cwd=cwd)
            while (status := child.popen.poll()) is None:
                # The terminal itself passes Ctrl-C on to the command.
                if self.interrupts.asked and not (self.interrupts.asked == signal.SIGINT and os.isatty(0)):
                    family.stop("command")
                time.sleep(0.02)
        finally:
            family.stop_all()
        return status if status >= 0 else 128 - status

    def migrate(self) -> None:
        """Bring the database of these servers up to date, without a demo."""
        if self.run(["-m", "core.supervisor.prepare", self.place.home / "logins.txt"]):
            raise Trouble("The database could not be brought up to date; the lines above say why.")


@contextmanager
def session(folder: Path, *, fast: bool, doing: str, prefix: str = "") -> Iterator[Session]:
    """Have servers and an environment; `prefix` names the variables that point to real servers instead."""
    interrupts, place, env = Interrupts(), place_at(folder), own_environment()
    names = ("DATABASE_URL", "REDIS_URL")
    given = {name: env[prefix + name] for name in names if env.get(prefix + name)}
    with services(
        state=folder, fast=fast, given=given, doing=doing, give_up=lambda: interrupts.asked is not None
    ) as found:
        interrupts.obey()
        holder = read_holder(place)
        if holder and holder.address:  # links lead to the running site
            env.setdefault("MAIN_HOST", holder.address.removeprefix("http://").rstrip("/"))
        env = for_django(env, place=place, database_url=found.database_url, redis_url=found.redis_url)
        yield Session(env, place, interrupts)


def manage(arguments: Sequence[str], *, state: Path) -> int:
    """Run a management command on the servers of a running `up`, or on servers for its duration."""
    with session(state, fast=False, doing="./loved manage") as here:
        if not (here.place.home / "logins.txt").exists():
            here.migrate()
        return here.run([ROOT / "manage.py", *arguments], cwd=called_from())


def called_from() -> Path:
    """Return the folder in which ./loved was called: a file named on the command line is named from there."""
    return Path(os.environ.get("LOVED_CALLED_FROM", ROOT))


def test(arguments: Sequence[str], *, state: Path) -> int:
    """Run the tests on servers of their own: browser tests in a process of their own, the crash rig only by name."""
    first, *rest = arguments or [""]
    if first in ("isolation", "race", "browser"):
        runs = [["-m", first, *rest]]
    elif first == "crash":
        runs = [["-m", first, "tests/crash", *rest]]
    elif any(word.startswith("-m") for word in arguments):
        runs = [list(arguments)]
    else:
        runs = [["-m", "not browser and not crash", *arguments], ["-m", "browser", *arguments]]
    with session(state / "test", fast=True, doing="./loved test", prefix="TEST_") as here:
        here.env["LOVED_ENV"] = "test"
        for name in ("DATABASE_URL", "REDIS_URL"):
            here.env[f"TEST_{name}"] = here.env[name]
        codes = [here.run(["-m", "pytest", "-q", *run]) for run in runs]
    ran = [code for code in codes if code != NO_TESTS_COLLECTED]
    return max(ran, default=NO_TESTS_COLLECTED)


def bench(arguments: Sequence[str], *, state: Path) -> int:
    """Run a benchmark on servers of its own, as durable as real ones."""
    with session(state / "bench", fast=False, doing="./loved bench", prefix="BENCH_") as here:
        return here.run(["-m", "bench", *arguments])


def check(*, state: Path) -> int:
    """Run every check that needs no server, and say which failed."""
    place = place_at(state / "test")
    place.prepare()
    env = for_django(own_environment(), place=place, database_url="postgresql:///nowhere", redis_url="unix:///nowhere")
    here = Session(env | {"LOVED_ENV": "test"}, place, Interrupts())
    failed = []
    for name, command in CHECKS.items():
        say(f"{name}:")
        if here.run(command if command[0] == "manage.py" else ["-m", *command]):
            failed.append(name)
    say(f"Failed: {', '.join(failed)}." if failed else "All checks passed.")
    return 1 if failed else 0


def reset(*, state: Path, sure: bool) -> int:
    """Delete all local state after asking; databases at addresses of the person's own are left alone."""
    place = place_at(state)
    parts = [place, *(place_at(state / name) for name in ("test", "bench"))]
    if not any(part.home.exists() for part in parts):
        say("There is nothing to delete.")
        return 0
    if not sure:
        if not os.isatty(0):
            raise Trouble("./loved reset deletes all local data: confirm it with ./loved reset --yes.")
        say(f"This deletes the local database, uploaded files, keys and logs in {place.home}.")
        if input("Type yes to go on: ").strip().lower() != "yes":
            say("Nothing was deleted.")
            return 1
    for part in reversed(parts):
        if part.home.exists():
            hold = Hold(part, doing="./loved reset")
            if not hold.take():
                holder = read_holder(part)
                raise Trouble(f"{holder.doing if holder else 'Another ./loved'} is running: stop it first, then reset.")
            part.remove()
            hold.release()
    say("Deleted. ./loved up starts empty.")
    return 0
