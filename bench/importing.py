"""A spreadsheet becomes leads."""

import json
import os
import subprocess
import sys
import time

from bench import sample
from bench.database import ROOT
from bench.report import Area, Figure
from bench.servers import NotStarted
from bench.setting import Setting

ROWS, FEW_ROWS = 8_000, 500
SECONDS_PER_100_000, MOST_GROWTH_MB = 120, 50
METHOD = """`./loved manage import_leads` reads a made-up spreadsheet of {rows:,} rows (`bench/sample.py`: 13
columns, stages, tags, dates, phones in many spellings, doubles, mistakes) into an organization that holds 1,000
leads, with the mapping that it guesses; then once more, which creates nothing. The work is the same that a worker
does for an upload. Memory growth is how much more the process held at its peak than one that reads {few:,} rows."""


def run(here: Setting) -> Area:
    """Measure the import."""
    rows = here.rows or ROWS
    path, few = here.folder / "leads.csv", here.folder / "few.csv"
    wanted = sample.write(path, rows)
    began = time.perf_counter()
    first, peak = import_file(here, "bench1k", str(path))
    whole = time.perf_counter() - began
    if (first["rows"], first["failed"]) != (wanted.rows, wanted.failed):
        raise RuntimeError(f"the import reported {first}, not {wanted}")
    again, _peak = import_file(here, "bench1k", str(path))
    if again["created"]:
        raise RuntimeError(f"the second import created {again['created']}")
    sample.write(few, FEW_ROWS)
    _found, floor = import_file(here, "bench1k", str(few))
    limit = 20 if rows <= ROWS else SECONDS_PER_100_000 * rows / 100_000
    figures = [
        Figure(f"import of {rows:,} rows", first["seconds"], "s", limit=limit),
        Figure("the command, with Python's start", whole, "s"),
        Figure("rows a second", rows / first["seconds"], "rows/s"),
        Figure("created", first["created"], "leads"),
        Figure("memory growth", peak - floor, "MB", limit=MOST_GROWTH_MB),
        Figure("the same file again", again["seconds"], "s", limit=limit),
    ]
    return Area("import", "Import", "one process, no server", METHOD.format(rows=rows, few=FEW_ROWS), figures)


def import_file(here: Setting, slug: str, path: str) -> tuple[dict[str, float], float]:
    """Import a file; return what the command says about it, and the megabytes that it held at its peak."""
    command = [sys.executable, "manage.py", "import_leads", slug, path, "--json"]
    log = here.folder / "import.log"
    with log.open("w") as errors:
        process = subprocess.Popen(command, cwd=ROOT, env=here.env, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert process.stdout is not None
        said = process.stdout.read()
        _pid, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise NotStarted(f"import_leads failed: {log.read_text()[-2000:]}")
    found: dict[str, float] = json.loads(said)
    return found, usage.ru_maxrss / 1024
