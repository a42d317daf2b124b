"""Rounds: every subject in turn, again and again, so that a noisy neighbour disturbs all of them alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.meter import cpu_seconds, processes


@dataclass(frozen=True)
class Subject:
    """Something that is done `count` times a round, by processes whose CPU time is read."""

    act: Callable[[], object]
    pid: int
    count: int


@dataclass(frozen=True)
class Cost:
    """Milliseconds of one act: CPU of the server, CPU of PostgreSQL, and what the clock said."""

    server: float
    postgres: float
    p50: float
    p95: float

    @property
    def cpu(self) -> float:
        return self.server + self.postgres


def in_rounds(subjects: Mapping[str, Subject], *, rounds: int, postgres: int) -> dict[str, Cost]:
    """Measure subjects in alternating order; return the median of the rounds of each."""
    for subject in subjects.values():
        for _time in range(4):  # both workers, connections, caches
            subject.act()
    costs: dict[str, list[Cost]] = {name: [] for name in subjects}
    for number in range(rounds):
        names = list(subjects) if number % 2 == 0 else list(reversed(subjects))
        for name in names:
            costs[name].append(once(subjects[name], postgres=postgres))
    return {
        name: Cost(*(statistics.median(getattr(cost, part) for cost in found) for part in Cost.__annotations__))
        for name, found in costs.items()
    }


def once(subject: Subject, *, postgres: int) -> Cost:
    """Do a subject's round."""
    server, database = cpu_seconds(subject.pid), cpu_seconds(postgres)
    times = []
    for _number in range(subject.count):
        began = time.perf_counter()
        subject.act()
        times.append((time.perf_counter() - began) * 1000)
    return Cost(
        (cpu_seconds(subject.pid) - server) * 1000 / subject.count,
        (cpu_seconds(postgres) - database) * 1000 / subject.count,
        quantile(times, 0.5),
        quantile(times, 0.95),
    )


def quantile(values: list[float], part: float) -> float:
    """Return the value below which a part of the values lies."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def postmaster(database_url: str) -> int:
    """Return the process of the PostgreSQL server, which must run on this machine."""
    with psycopg.connect(database_url) as connection:
        own = connection.info.backend_pid
        found = processes()
        if own not in found or "postgres" not in _name(own):
            raise SystemExit("Benchmarks read the CPU time of PostgreSQL: it must run on this machine.")
        return found[own].parent


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text()
