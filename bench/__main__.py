"""Run benchmarks: `./loved bench NAME [--json] [--write] [--strict]`."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bench import backup, board, importing, live, memory, move, report, signup, startup
from bench.database import ROOT
from bench.meter import NoMeter
from bench.report import Area
from bench.servers import NotStarted
from bench.setting import Setting, setting

AREAS: dict[str, Callable[[Setting], Area]] = {
    "board": board.run,
    "move": move.run,
    "live": live.run,
    "import": importing.run,
    "signup": signup.run,
    "backup": backup.run,
    "memory": memory.run,
    "up": startup.run,
}
DOCUMENT = ROOT / "docs" / "benchmarks.md"


def main(arguments: Sequence[str]) -> int:
    """Run what the command line asks for; a missed target is a failure only with --strict."""
    options = read(arguments)
    names = list(AREAS) if options.name == "all" else [options.name]
    areas = []
    try:
        for name in names:
            with setting(rounds=options.rounds, rows=options.rows) as here:
                print(f"Measuring {name} …", file=sys.stderr, flush=True)
                areas.append(AREAS[name](here))
                if options.write:
                    write(areas[-1], machine(here))
            if not options.json:
                print(report.as_text(areas[-1]), flush=True)
    except (NoMeter, NotStarted) as error:
        print(error, file=sys.stderr)
        return 1
    if options.json:
        found = [area.as_json() for area in areas]
        print(json.dumps(found if options.name == "all" else found[0], indent=2, ensure_ascii=False))
    return 1 if options.strict and any(area.failed for area in areas) else 0


def read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./loved bench", description="Measure the product beside a bare floor.")
    parser.add_argument("name", choices=[*AREAS, "all"])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--write", action="store_true", help="put the result into docs/benchmarks.md")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a target is missed")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of a benchmark that has rounds (default 5)")
    parser.add_argument("--rows", type=int, default=0, help="rows of the spreadsheet that is imported (8000)")
    return parser.parse_args(arguments)


def machine(here: Setting) -> str:
    """Say what the figures were measured on."""
    cores = os.cpu_count() or 0
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    with psycopg.connect(here.database_url) as connection:
        major = connection.info.server_version // 10000
    return (
        f"{processor()}, {cores} cores, {memory:.0f} GB, Linux, Python {platform.python_version()}, "
        f"PostgreSQL {major}, load {os.getloadavg()[0]:.1f}"
    )


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor"
    )


def write(area: Area, on: str) -> None:
    """Put an area's section into docs/benchmarks.md."""
    section = report.as_markdown(area, date=f"{datetime.now(UTC):%Y-%m-%d}", machine=on)
    DOCUMENT.write_text(report.insert(DOCUMENT.read_text(), area, section))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
