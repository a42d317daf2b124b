"""How long `./loved up` takes until the web answers."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from bench.database import ROOT
from bench.report import Area, Figure
from bench.servers import NotStarted, free_port, live
from bench.setting import Setting
from core.supervisor.places import place_at

METHOD = """`./loved up` in a state folder of its own with PostgreSQL and Valkey of its own: the first start makes the
cluster, the database and the template schema (packages installed already, without the demo); later starts find all of
it. From the command to the first answer of the web process. Median of three later starts."""
LATER = 3


def run(here: Setting) -> Area:
    """Measure starts."""
    with tempfile.TemporaryDirectory(prefix="loved-bench-up-") as folder:
        state = Path(folder) / "state"
        try:
            first, *later = (start(state) for _number in range(LATER + 1))
        finally:
            place_at(state).remove()
    figures = [
        Figure("later start, until the web answers", sorted(later)[LATER // 2], "s", limit=8),
        Figure("first start, packages installed", first, "s", limit=180),
    ]
    return Area("up", "Start", "uvicorn, as ./loved up runs it", METHOD, figures)


def start(state: Path) -> float:
    """Start everything, wait for the web, stop everything; return the seconds until the web answered."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL", "MAIN_HOST")}
    command = [sys.executable, "-m", "core.supervisor", "up", "--no-demo", "--state", str(state), "--port", str(port)]
    began = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while not live(f"127.0.0.1:{port}"):
            if process.poll() is not None:
                assert process.stderr is not None
                raise NotStarted(f"./loved up ended: {process.stderr.read()}")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        process.wait()
