"""A spreadsheet of 8,000 rows becomes leads."""

import json
import time

from bench import sample
from bench.report import Area, Figure
from bench.servers import run_django
from bench.setting import Setting

ROWS = 8_000
METHOD = f"""`./loved manage import_leads` reads a made-up spreadsheet of {ROWS:,} rows (`bench/sample.py`: 13
columns, stages, tags, dates, phones in many spellings, doubles, mistakes) into an organization that holds 1,000
leads, with the mapping that it guesses; then once more, which creates nothing. The work is the same that a worker
does for an upload."""


def run(here: Setting) -> Area:
    """Measure the import."""
    path = here.folder / "leads.csv"
    wanted = sample.write(path, ROWS)
    began = time.perf_counter()
    first = import_file(here, str(path))
    whole = time.perf_counter() - began
    if (first["rows"], first["failed"]) != (wanted.rows, wanted.failed):
        raise RuntimeError(f"the import reported {first}, not {wanted}")
    again = import_file(here, str(path))
    if again["created"]:
        raise RuntimeError(f"the second import created {again['created']}")
    figures = [
        Figure(f"import of {ROWS:,} rows", first["seconds"], "s", limit=20),
        Figure("the command, with Python's start", whole, "s"),
        Figure("rows a second", ROWS / first["seconds"], "rows/s"),
        Figure("created", first["created"], "leads"),
        Figure("the same file again", again["seconds"], "s", limit=20),
    ]
    return Area("import", "Import", "one process, no server", METHOD, figures)


def import_file(here: Setting, path: str) -> dict[str, float]:
    """Import a file and return what the command says about it."""
    found: dict[str, float] = json.loads(
        run_django("manage.py", "import_leads", "bench1k", path, "--json", env=here.env)
    )
    return found
