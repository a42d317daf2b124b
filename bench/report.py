"""Figures and how they are shown: on the terminal, as JSON, in docs/benchmarks.md."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One measured number. It must not exceed `limit`, nor `times` times its `base`, if they are given."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    base: float | None = None
    base_name: str = ""
    times: float | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.base if self.base else None

    @property
    def passed(self) -> bool | None:
        """Whether every target is met; None if there is none."""
        checks = []
        if self.limit is not None:
            checks.append(self.value <= self.limit)
        if self.times is not None and self.ratio is not None:
            checks.append(self.ratio <= self.times)
        return all(checks) if checks else None

    @property
    def target(self) -> str:
        words = [f"≤ {self.limit:g} {self.unit}"] if self.limit is not None else []
        if self.times is not None:
            words.append(f"≤ {self.times:g} × {self.base_name}")
        return ", ".join(words)

    def cells(self) -> list[str]:
        verdict = {None: "", True: "pass", False: "FAIL"}[self.passed]
        ratio = f"{self.ratio:.2f}" if self.ratio is not None and self.times is not None else ""
        return [self.name, f"{number(self.value)} {self.unit}", self.target, ratio, verdict]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "limit": self.limit,
            "base": self.base_name or None,
            "ratio": round(self.ratio, 3) if self.ratio is not None else None,
            "times": self.times,
            "passed": self.passed,
        }


HEADINGS = ["what", "figure", "target", "ratio", ""]


@dataclass(frozen=True)
class Area:
    """The result of one benchmark: which server was measured, how, and the figures."""

    name: str
    title: str
    server: str
    method: str
    figures: Sequence[Figure] = field(default_factory=list)

    @property
    def failed(self) -> list[Figure]:
        return [figure for figure in self.figures if figure.passed is False]

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "server": self.server, "figures": [figure.as_json() for figure in self.figures]}


def number(value: float) -> str:
    """Write a number with three digits that mean something."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def as_text(area: Area) -> str:
    """Lay an area out for the terminal."""
    rows = [HEADINGS, *(figure.cells() for figure in area.figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"{area.title} ({area.server})", *(f"  {line}" for line in lines)])


def as_markdown(area: Area, *, date: str, machine: str) -> str:
    """Lay an area out as a section of docs/benchmarks.md."""
    rows = [HEADINGS, ["---"] * len(HEADINGS), *(figure.cells() for figure in area.figures)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"## {area.title}\n\n{area.method}\n\nServer: {area.server}. Measured {date} on {machine}.\n\n{table}\n"


def insert(document: str, area: Area, section: str) -> str:
    """Put a section into the document in place of the area's last one, or at the end."""
    begin, end = f"<!-- bench: {area.name} -->", f"<!-- end: {area.name} -->"
    block = f"{begin}\n{section}{end}"
    known = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if known.search(document):
        return known.sub(lambda _match: block, document)
    return f"{document.rstrip()}\n\n{block}\n"
