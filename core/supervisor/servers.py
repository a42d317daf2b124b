"""PostgreSQL and Valkey of a place: run by one process at a time, shared by those who come meanwhile."""

import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from core.supervisor import postgres, valkey
from core.supervisor.environment import check_answers
from core.supervisor.places import Place, place_at
from core.supervisor.processes import Family, stop_leftovers, wait_until
from core.supervisor.terminal import Trouble

STARTING_SECONDS = 90


@dataclass(frozen=True)
class Services:
    """The two addresses everything of ours needs."""

    database_url: str
    redis_url: str


@dataclass(frozen=True)
class Holder:
    """Who holds a place, as written down for others to read."""

    pid: int
    doing: str
    address: str = ""
    services: Services | None = None


class Hold:
    """The exclusive right to run a place's servers; the system takes it back from a process that dies."""

    def __init__(self, place: Place, *, doing: str, address: str = "") -> None:
        self.place, self.doing, self.address = place, doing, address
        self.lock: IO[str] | None = None

    def take(self) -> bool:
        # Guests look at this lock by taking it for a moment, hence the second try.
        for _ in range(2):
            self.lock = try_lock(self.place.home / "lock", how=fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self.lock or wait_until(lambda: False, seconds=0.05):
                break
        if self.lock:
            self.announce(None)
        return self.lock is not None

    def announce(self, services: Services | None) -> None:
        """Write down who we are and, once they answer, where the servers are."""
        file = self.place.home / "holder.json"
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(Holder(os.getpid(), self.doing, self.address, services))))
        fresh.replace(file)

    def release(self) -> None:
        if self.lock:
            (self.place.home / "holder.json").unlink(missing_ok=True)
            self.lock.close()
            self.lock = None


def read_holder(place: Place) -> Holder | None:
    try:
        found = json.loads((place.home / "holder.json").read_text())
    except (OSError, ValueError):
        return None
    return Holder(**{**found, "services": Services(**found["services"]) if found["services"] else None})


def start_servers(family: Family, *, place: Place, fast: bool, given: Mapping[str, str]) -> Services:
    """Start what the given addresses, which the caller has checked, do not name."""
    if "DATABASE_URL" not in given:
        postgres.start(family, place=place, fast=fast)
    if "REDIS_URL" not in given:
        valkey.start(family, place=place, fast=fast)
    return Services(given.get("DATABASE_URL") or postgres.url(place), given.get("REDIS_URL") or valkey.url(place))


@contextmanager
def services(
    *,
    state: Path | None = None,
    fast: bool = False,
    given: Mapping[str, str] | None = None,
    doing: str = "another command",
    give_up: Callable[[], bool] = lambda: False,
) -> Iterator[Services]:
    """Have PostgreSQL and Valkey while the block lasts.

    Whoever comes second to a place shares the servers of the first, who then waits for it at the end
    until `give_up` says so. `fast` gives up durability: for tests. `given` may hold DATABASE_URL and
    REDIS_URL of real servers, which are checked and used instead.
    """
    place, given = place_at(state), given or {}
    for variable, url in given.items():
        check_answers(variable, url=url)
    place.prepare()
    hold = Hold(place, doing=doing)
    while not hold.take():
        with guest(place) as found:
            if found:
                yield Services(given.get("DATABASE_URL", found.database_url), given.get("REDIS_URL", found.redis_url))
                return
    door = None
    with ExitStack() as closing:
        closing.callback(hold.release)
        stop_leftovers(place.home)
        family = Family(place.home)
        closing.callback(family.stop_all)
        found = start_servers(family, place=place, fast=fast, given=given)
        hold.announce(found)
        yield found
        door = wait_for_guests(place, give_up=give_up)
    if door:
        door.close()


@contextmanager
def guest(place: Place) -> Iterator[Services | None]:
    """Share the servers of the process that holds the place; None when it has gone or is about to."""
    presence = try_lock(place.home / "guests", how=fcntl.LOCK_SH | fcntl.LOCK_NB)
    if presence is None:
        wait_until(lambda: False, seconds=0.2)
        yield None
        return
    with presence:
        if not wait_until(lambda: is_up(place) or is_free(place), seconds=STARTING_SECONDS, every=0.1):
            raise Trouble("Another ./loved is starting the local servers and does not get on: stop it, then try again.")
        holder = None if is_free(place) else read_holder(place)
        yield holder.services if holder else None


def is_up(place: Place) -> bool:
    holder = read_holder(place)
    return holder is not None and holder.services is not None


def is_free(place: Place) -> bool:
    lock = try_lock(place.home / "lock", how=fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock:
        lock.close()
    return lock is not None


def wait_for_guests(place: Place, *, give_up: Callable[[], bool]) -> IO[str] | None:
    """Wait until the last guest has gone, and return the closed door that lets no new one in."""
    doors: list[IO[str]] = []

    def shut() -> bool:
        door = try_lock(place.home / "guests", how=fcntl.LOCK_EX | fcntl.LOCK_NB)
        if door:
            doors.append(door)
        return door is not None

    if not shut():
        print("Other commands still use these servers; waiting for them.", file=sys.stderr, flush=True)
        wait_until(lambda: give_up() or shut(), seconds=3600, every=0.2)
    return doors[0] if doors else None


def try_lock(path: Path, *, how: int) -> IO[str] | None:
    """Lock a file, or return None when somebody else has it."""
    file = path.open("a")
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        file.close()
        return None
    return file
