"""The database of a benchmark: filled once per state of the code, copied for every run, dropped after it."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis

ROOT = Path(__file__).resolve().parent.parent
RUN = "loved_bench"
# What the filled database depends on.
SOURCES = ("*/migrations/*.py", "bench/data.py", "bench/provision.py", "bench/floor/tables.py")


@contextmanager
def filled_database(server_url: str, env: Mapping[str, str]) -> Iterator[str]:
    """Have a copy of the filled database; yield its address."""
    template = f"{RUN}_{key()}"
    with psycopg.connect(server_url, autocommit=True) as admin:
        _only_one(admin)
        for (name,) in admin.execute("SELECT datname FROM pg_database WHERE datname ~ %s", [f"^{RUN}(_|$)"]).fetchall():
            if name != template:
                _drop(admin, name)
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
            _fill(admin, template, server_url, env)
        admin.execute(f'CREATE DATABASE "{RUN}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        url = with_database(server_url, RUN)
        try:
            with psycopg.connect(url, autocommit=True) as fresh:
                fresh.execute("VACUUM ANALYZE")
            yield url
        finally:
            _drop(admin, RUN)


def key() -> str:
    """Hash what the filled database is made of."""
    digest = hashlib.sha256()
    for pattern in SOURCES:
        for file in sorted(ROOT.glob(pattern)):
            digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def with_database(url: str, name: str) -> str:
    """Return the address of another database of the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@contextmanager
def empty_valkey(url: str) -> Iterator[str]:
    """Have a numbered database of Valkey that nobody uses; it is emptied afterwards."""
    for number in range(15, 0, -1):
        own = f"{url.partition('?')[0]}?db={number}"
        client = redis.Redis.from_url(own)
        if client.dbsize() == 0:
            break
    else:
        raise SystemExit("All databases of this Valkey hold something: set BENCH_REDIS_URL to another server.")
    try:
        yield own
    finally:
        client.flushdb()


def _only_one(admin: psycopg.Connection) -> None:
    row = admin.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [RUN]).fetchone()
    if row is None or not row[0]:
        raise SystemExit("Another benchmark runs on this server: let it end, they would disturb each other.")


def _drop(admin: psycopg.Connection, name: str) -> None:
    admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _fill(admin: psycopg.Connection, template: str, server_url: str, env: Mapping[str, str]) -> None:
    """Make the template under another name, so that one that was cut short is never used."""
    unfinished = f"{template}_new"
    admin.execute(f'CREATE DATABASE "{unfinished}"')
    filling = {**env, "DATABASE_URL": with_database(server_url, unfinished)}
    subprocess.run([sys.executable, "-m", "bench.provision", "fill"], cwd=ROOT, env=filling, check=True)
    admin.execute(f'ALTER DATABASE "{unfinished}" RENAME TO "{template}"')
