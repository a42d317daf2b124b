"""One organization of 10,000 leads is backed up and restored beside the others."""

import re
import time

import psycopg
from psycopg import sql

from bench.report import Area, Figure
from bench.servers import run_django
from bench.setting import Setting

METHOD = """`./loved manage backup bench10k FILE`, then `restore FILE --as again`, each with Python's start. Afterwards
every table of the restored organization holds as many rows as the original's, and every row of every other
organization is what it was (hash of each table before and after)."""


def run(here: Setting) -> Area:
    """Measure backup and restore."""
    file = here.folder / "bench10k.loved"
    before = fingerprints(here.database_url)
    began = time.perf_counter()
    run_django("manage.py", "backup", "bench10k", str(file), env=here.env)
    backup = time.perf_counter() - began
    began = time.perf_counter()
    said = run_django("manage.py", "restore", str(file), "--as", "again", env=here.env)
    restore = time.perf_counter() - began
    after = fingerprints(here.database_url)
    if {schema: after[schema] for schema in before} != before:
        raise RuntimeError("restoring one organization changed another")
    rows = re.search(r"again: (\d+) rows", said)
    if not rows:
        raise RuntimeError(f"the restore said {said}")
    figures = [
        Figure("backup and restore of 10,000 leads", backup + restore, "s", limit=60),
        Figure("backup", backup, "s"),
        Figure("restore", restore, "s"),
        Figure("rows", float(rows.group(1)), "rows"),
        Figure("size of the file", file.stat().st_size / 2**20, "MB"),
    ]
    return Area("backup", "Backup and restore", "one process, no server", METHOD, figures)


def fingerprints(database_url: str) -> dict[str, dict[str, str]]:
    """Hash every table of every organization."""
    found: dict[str, dict[str, str]] = {}
    with psycopg.connect(database_url) as connection:
        tables = connection.execute(
            "SELECT t.schemaname, t.tablename FROM pg_tables t "
            "JOIN tenants_organization o ON o.schema_name = t.schemaname"
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("SELECT md5(coalesce(string_agg(md5(t::text), '' ORDER BY md5(t::text)), '')) FROM {} t")
            row = connection.execute(query.format(sql.Identifier(schema, table))).fetchone()
            found.setdefault(schema, {})[table] = str(row and row[0])
    return found
