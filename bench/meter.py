"""Read what processes cost from /proc: CPU time and memory of a process with all its children."""

import os
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


class NoMeter(Exception):
    """This system does not tell what processes cost."""


@dataclass(frozen=True)
class Process:
    """One line of /proc: the parent, and seconds of CPU, those of children that ended included."""

    parent: int
    seconds: float


def processes(proc: Path = PROC) -> dict[int, Process]:
    """Return every process by its id."""
    found = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = read_stat((folder / "stat").read_text())
            except OSError:  # it ended while we looked
                continue
    if not found:
        raise NoMeter("Benchmarks read CPU time and memory from /proc: they run on Linux only.")
    return found


def read_stat(line: str) -> Process:
    """Read a line of /proc/<pid>/stat. The program's name in it may hold spaces and brackets."""
    fields = line.rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return Process(int(fields[1]), (user + system + children_user + children_system) / TICKS)


def tree(root: int, found: dict[int, Process]) -> set[int]:
    """Return a process and its living descendants."""
    members, size = {root} & found.keys(), 0
    while len(members) > size:
        size = len(members)
        members |= {pid for pid, process in found.items() if process.parent in members}
    return members


def cpu_seconds(root: int, proc: Path = PROC) -> float:
    """Return the CPU time that a process and its descendants have used so far."""
    found = processes(proc)
    return sum(found[pid].seconds for pid in tree(root, found))


def megabytes(root: int, proc: Path = PROC) -> float:
    """Return the proportional set size of a process and its descendants: shared pages are divided."""
    kilobytes = 0
    for pid in tree(root, processes(proc)):
        try:
            lines = (proc / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes / 1024
