"""Processes that end with us: started in a group of their own, written down, stopped in order."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from core.supervisor.places import ROOT, Account

Command = Sequence[str | Path]
STOP_ORDER = ("command", "web", "worker", "beat", "valkey", "postgres")


@dataclass(frozen=True)
class Entry:
    """What is written down of a process: enough to know it again and to stop it politely."""

    name: str
    pid: int
    born: str
    signals: Sequence[int]
    grace: float
    leads_group: bool


@dataclass(frozen=True)
class Child:
    entry: Entry
    popen: subprocess.Popen[bytes]


class Family:
    """The children of this process.

    Should this process be killed outright, its warden (a small process of its own that sees its
    standard input close) stops them from the written record; should both be killed, the next start does.
    """

    def __init__(self, folder: Path) -> None:
        self.record = folder / f"processes-{os.getpid()}-{id(self)}.json"
        self.parent = Entry("parent", os.getpid(), birth(os.getpid()) or "", (), 0, False)
        self.children: dict[str, Child] = {}
        self.write()
        self.warden = subprocess.Popen(
            [sys.executable, "-m", "core.supervisor.warden", self.record],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(
        self,
        name: str,
        command: Command,
        *,
        env: Mapping[str, str],
        log: Path,
        cwd: Path = ROOT,
        account: Account | None = None,
        signals: tuple[int, ...] = (signal.SIGTERM,),
        grace: float = 10,
    ) -> Child:
        """Start a process that writes to a log, out of reach of the terminal's Ctrl-C."""
        with log.open("ab") as output:
            popen = subprocess.Popen(
                command,
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=0o077,
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
            )
        return self.adopt(popen, name=name, signals=signals, grace=grace, leads_group=True)

    def start_in_terminal(self, command: Command, *, env: Mapping[str, str], cwd: Path) -> Child:
        """Start a command that owns the terminal meanwhile and receives its Ctrl-C."""
        popen = subprocess.Popen(command, env=env, cwd=cwd)
        return self.adopt(popen, name="command", signals=(signal.SIGINT,), grace=15, leads_group=False)

    def adopt(
        self, popen: subprocess.Popen[bytes], *, name: str, signals: tuple[int, ...], grace: float, leads_group: bool
    ) -> Child:
        entry = Entry(name, popen.pid, birth(popen.pid) or "", signals, grace, leads_group)
        self.children[name] = Child(entry, popen)
        self.write()
        return self.children[name]

    def died(self, name: str) -> int | None:
        """Return how a child ended, and forget it; None while it lives."""
        child = self.children[name]
        status = child.popen.poll()
        if status is not None:
            end_group(child.entry)
            self.forget(name)
        return status

    def stop(self, name: str) -> None:
        child = self.children.get(name)
        if child is not None:
            stop_entry(child.entry, alive=lambda: child.popen.poll() is None)
            self.forget(name)

    def stop_all(self) -> None:
        """Stop every child, those first that need the others, then let the warden go."""
        for name in sorted(self.children, key=rank):
            self.stop(name)
        self.record.unlink(missing_ok=True)
        if self.warden.stdin:
            self.warden.stdin.close()
        self.warden.wait()

    def forget(self, name: str) -> None:
        del self.children[name]
        self.write()

    def write(self) -> None:
        entries = [child.entry for child in sorted(self.children.values(), key=lambda child: rank(child.entry.name))]
        fresh = self.record.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(entry) for entry in (self.parent, *entries)]))
        fresh.replace(self.record)


def rank(name: str) -> int:
    return STOP_ORDER.index(name)


def stop_leftovers(folder: Path) -> None:
    """Stop what supervisors that were killed left behind in this place; those that live keep theirs."""
    for record in folder.glob("processes-*.json"):
        # A process that is being killed lives on for a moment after its locks are gone.
        if wait_until(partial(is_orphaned, record), seconds=0.5):
            stop_recorded(record)


def is_orphaned(record: Path) -> bool:
    parents = read_record(record)[:1]
    return not parents or not is_same(parents[0])


def stop_recorded(record: Path) -> None:
    """Stop the processes of a record that are still the ones it names, and remove it."""
    for entry in read_record(record)[1:]:
        if is_same(entry):
            stop_entry(entry, alive=partial(is_same, entry))
    record.unlink(missing_ok=True)


def read_record(record: Path) -> list[Entry]:
    """Return the parent and its children, or nothing from a record that is gone or broken."""
    try:
        return [Entry(**each) for each in json.loads(record.read_text())]
    except (FileNotFoundError, ValueError, TypeError):
        return []


def stop_entry(entry: Entry, *, alive: Callable[[], bool]) -> None:
    """Ask a process to end, less politely each time its grace is over; then end what it left of its group."""
    for number in (*entry.signals, signal.SIGKILL):
        if not alive():
            break
        try:
            os.kill(entry.pid, number)
        except ProcessLookupError:
            break
        wait_until(lambda: not alive(), seconds=entry.grace)
    end_group(entry)


def end_group(entry: Entry) -> None:
    if entry.leads_group:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(entry.pid, signal.SIGKILL)


def wait_until(ready: Callable[[], bool], *, seconds: float, every: float = 0.02) -> bool:
    """Wait for something to become true; return whether it did."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(every)
    return True


def is_same(entry: Entry) -> bool:
    return bool(entry.born) and birth(entry.pid) == entry.born


def birth(pid: int) -> str | None:
    """Return when a living process began, so that a recycled number is not taken for it."""
    if sys.platform == "linux":
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:
            return None
        return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
    found = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True).stdout.split(
        maxsplit=1
    )
    return None if not found or found[0].startswith("Z") else found[1].strip()


def command_of(pid: int) -> str:
    """Return the command line of a process, or nothing."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except OSError:
            return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True).stdout


def run(
    command: Command, *, account: Account | None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as the servers' user if there is one."""
    return subprocess.run(
        command,
        env=env,
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        umask=0o077,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
