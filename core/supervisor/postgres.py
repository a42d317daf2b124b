"""The embedded PostgreSQL: one cluster, one database, one unix socket."""

import os
import shutil
import signal
from pathlib import Path

from core.supervisor.places import Place, make_private
from core.supervisor.processes import Child, Family, command_of, run, wait_until
from core.supervisor.programs import program
from core.supervisor.terminal import Trouble

PORT = 5432  # only names the socket
DATABASE = "loved"
OPTIONS = {
    "listen_addresses": "",
    "port": str(PORT),
    "max_connections": "100",
    "max_locks_per_transaction": "1024",  # cloning or dropping a schema locks hundreds of objects
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"}


def url(place: Place) -> str:
    return f"postgresql://postgres@/{DATABASE}?host={place.sockets}&port={PORT}"


def start(family: Family, *, place: Place, fast: bool) -> Child:
    """Start PostgreSQL on the place's data, made on the first start, and wait until it answers."""
    postgres = program("postgres", account=place.account)
    check_version(postgres, place=place)
    end_predecessor(place)
    if not place.database.exists():
        make_cluster(postgres.with_name("initdb"), place=place, fast=fast)
    log = place.logs / "postgres.log"
    seen = log.stat().st_size if log.exists() else 0
    # Quotes: the setting is a list, parted by commas.
    options = OPTIONS | (FAST if fast else {}) | {"unix_socket_directories": f'"{place.sockets}"'}
    child = family.start(
        "postgres",
        [postgres, "-D", place.database, *(f"--{name}={value}" for name, value in options.items())],
        env=environment(),
        cwd=Path("/"),
        log=log,
        account=place.account,
        signals=(signal.SIGINT, signal.SIGQUIT),  # fast, then immediate
        grace=20,
    )
    wait_until(lambda: is_ready(place) or child.popen.poll() is not None, seconds=60)
    if child.popen.poll() is not None or not is_ready(place):
        raise Trouble(why_not(log, seen=seen))
    make_database(postgres.with_name("psql"), place=place)
    return child


def check_version(postgres: Path, *, place: Place) -> None:
    """Refuse data of another major version, which this PostgreSQL cannot read."""
    made_by = place.database / "PG_VERSION"
    ours = run([postgres, "--version"], account=place.account, env=environment()).stdout.split()[-1].partition(".")[0]
    if place.database.exists() and not made_by.exists():
        raise Trouble(
            f"{place.database} is not a PostgreSQL data folder: move it away, or start empty with ./loved reset."
        )
    if made_by.exists() and (theirs := made_by.read_text().strip()) != ours:
        raise Trouble(
            f"The data in {place.database} was made by PostgreSQL {theirs}, but this version of Loved brings "
            f"PostgreSQL {ours}: go back to the version that made it to export what you need, "
            "or start empty with ./loved reset."
        )


def end_predecessor(place: Place) -> None:
    """Stop a server that still runs on this data, and remove the lock files of one that does not.

    PostgreSQL refuses to start when a stale file names a number that another process has meanwhile.
    """
    lock = place.database / "postmaster.pid"
    if lock.exists():
        number = lock.read_text().partition("\n")[0]
        if number.isdigit() and str(place.database) in command_of(int(number)):
            os.kill(int(number), signal.SIGINT)
            wait_until(lambda: str(place.database) not in command_of(int(number)), seconds=20)
        lock.unlink(missing_ok=True)
    for file in place.sockets.glob(".s.PGSQL.*"):
        file.unlink()


def make_cluster(initdb: Path, *, place: Place, fast: bool) -> None:
    """Make an empty cluster whose sorting and case do not depend on the machine's language."""
    fresh = place.database.with_name("postgres.new")
    shutil.rmtree(fresh, ignore_errors=True)
    make_private(fresh, account=place.account)
    command: list[str | Path] = [initdb, "-D", fresh, "-U", "postgres", "--auth=trust", "--encoding=UTF8"]
    command += ["--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    made = run([*command, "--no-sync"] if fast else command, account=place.account, env=environment())
    if made.returncode:
        shutil.rmtree(fresh, ignore_errors=True)
        raise Trouble(explain(made.stderr))
    fresh.rename(place.database)


def make_database(psql: Path, *, place: Place) -> None:
    connect: list[str | Path] = [
        psql,
        "-h",
        place.sockets,
        "-p",
        str(PORT),
        "-U",
        "postgres",
        "-d",
        "postgres",
        "-qAtX",
        "-c",
    ]
    names = run([*connect, "SELECT datname FROM pg_database"], account=place.account, env=environment()).stdout.split()
    if DATABASE not in names:
        made = run([*connect, f"CREATE DATABASE {DATABASE}"], account=place.account, env=environment())
        if made.returncode:
            raise Trouble(explain(made.stderr))


def is_ready(place: Place) -> bool:
    """Read the state that PostgreSQL itself notes in its lock file for whoever waits."""
    try:
        return (place.database / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
    except (OSError, IndexError):
        return False


def why_not(log: Path, *, seen: int) -> str:
    with log.open("rb") as file:
        file.seek(seen)
        return explain(file.read().decode(errors="replace"))


def explain(words: str) -> str:
    """Turn what PostgreSQL said when it failed into a sentence with a remedy."""
    if "No space left on device" in words or "quota exceeded" in words:
        return "PostgreSQL could not start because the disk is full: free at least 500 MB, then start again."
    lines = [line for line in words.splitlines() if "FATAL" in line or "PANIC" in line or "error:" in line]
    reason = (lines or words.splitlines() or ["it gave no reason"])[0].partition("FATAL: ")[2] or (lines or [words])[0]
    return (
        f"PostgreSQL could not start: {reason.strip()}. Its log is in the folder of logs; ./loved reset starts empty."
    )


def environment() -> dict[str, str]:
    """Pass no setting of the person's own PostgreSQL or language on."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
