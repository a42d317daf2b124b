"""What every benchmark runs in: a filled database, an empty Valkey, settings like production's over plain HTTP."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.database import ROOT, empty_valkey, filled_database
from bench.measure import postmaster
from bench.servers import free_port, run_django

KEYS = {
    "SECRET_KEY": "a key for benchmarks only, which guards made-up leads",
    "FIELD_KEYS": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=",
}


@dataclass(frozen=True)
class Setting:
    """Where a benchmark finds everything."""

    database_url: str
    env: Mapping[str, str]
    folder: Path
    postgres: int
    port: int
    rounds: int
    # Of a spreadsheet; 0 for what the benchmark says.
    rows: int = 0

    @property
    def site(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def setting(*, rounds: int, rows: int = 0) -> Iterator[Setting]:
    """Make it, and leave nothing of it behind but the template database."""
    with tempfile.TemporaryDirectory(prefix="loved-bench-") as home:
        port = free_port()
        env = {name: value for name, value in os.environ.items() if name not in ("DB_POOL", "EMAIL_URL")} | KEYS
        env |= {
            "LOVED_ENV": "production",
            "PUBLIC_SCHEME": "http",
            "MAIN_HOST": f"127.0.0.1:{port}",
            "CSRF_TRUSTED_ORIGINS": f"http://127.0.0.1:{port}",
            "TRUSTED_PROXY_COUNT": "1",
            "STATE_DIR": home,
            "LOG_LEVEL": "WARNING",
        }
        with empty_valkey(os.environ["REDIS_URL"]) as valkey:
            env["REDIS_URL"] = valkey
            with filled_database(os.environ["DATABASE_URL"], env) as database:
                env["DATABASE_URL"] = database
                run_django("manage.py", "collectstatic", "--noinput", "--verbosity", "0", env=env)
                yield Setting(database, env, Path(home), postmaster(database), port, rounds, rows)


@contextmanager
def bare_process(here: Setting) -> Iterator["Bare"]:
    """Have the process that draws boards without a server."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.floor.bare"],
        cwd=ROOT, env=here.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield Bare(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        process.wait()


@dataclass(frozen=True)
class Bare:
    """The process that draws boards without a server."""

    process: subprocess.Popen[str]

    def board(self, size: str) -> int:
        """Let it draw a board, and return the length of the page."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{size}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())
