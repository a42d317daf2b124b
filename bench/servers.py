"""Start and stop the servers that are measured. Each has a warden: none outlives a benchmark that is killed."""

import http.client
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.database import ROOT
from core.supervisor.processes import Child, Command, Family, wait_until

STARTING_SECONDS = 60
GUNICORN = "gunicorn, 2 workers × 4 threads"
UVICORN = "uvicorn, 1 process"


class NotStarted(Exception):
    """A server did not come up; the sentence holds the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running server: the process whose tree it is, and where it listens, if it does."""

    pid: int
    address: str = ""


@contextmanager
def gunicorn(application: str, *, env: Mapping[str, str], folder: Path, port: int = 0) -> Iterator[Server]:
    """Serve HTTP as production does: two processes of four threads."""
    command = [sys.executable, "-m", "gunicorn", application, "--worker-class", "gthread", "--workers", "2"]
    command += ["--threads", "4", "--keep-alive", "30", "--no-control-socket"]
    with _listening(command, "--bind", env=env, folder=folder, port=port) as server:
        yield server


@contextmanager
def uvicorn(*, env: Mapping[str, str], folder: Path, port: int = 0) -> Iterator[Server]:
    """Serve HTTP and sockets as `./loved up` does."""
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--lifespan", "off", "--no-access-log"]
    command += ["--no-proxy-headers", "--host", "127.0.0.1"]
    with _listening(command, "--port", env=env, folder=folder, port=port) as server:
        yield server


@contextmanager
def celery(kind: str, *, env: Mapping[str, str], folder: Path) -> Iterator[Server]:
    """Run a worker or beat as `./loved up` does."""
    options = {
        "worker": ["--concurrency", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"],
        "beat": ["--pidfile", "", "--schedule", str(folder / "beat-schedule")],
    }
    command = [sys.executable, "-m", "celery", "-A", "config.celery", kind, "--loglevel", "INFO", *options[kind]]
    log = folder / f"{kind}.log"
    with _started(command, env={**env, "LOG_LEVEL": "INFO"}, log=log, folder=folder) as child:
        sign = {"worker": "ready.", "beat": "beat: Starting"}[kind]
        if not wait_until(lambda: sign in log.read_text(), seconds=STARTING_SECONDS, every=0.1):
            raise NotStarted(f"celery {kind} does not start:\n{log.read_text()[-2000:]}")
        yield Server(child.popen.pid)


def free_port() -> int:
    """Return a port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_django(*arguments: str, env: Mapping[str, str]) -> str:
    """Run a module of ours to its end and return what it printed."""
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True)
    if done.returncode:
        raise NotStarted(f"{' '.join(arguments)} failed: {done.stderr[-2000:]}")
    return done.stdout


def live(address: str, *, host: str = "") -> bool:
    """Say whether a server answers, asked by the name of its site."""
    connection = http.client.HTTPConnection(address, timeout=5)
    try:
        connection.request("GET", "/health/live", headers={"Host": host or address})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@contextmanager
def _listening(command: list[str], option: str, *, env: Mapping[str, str], folder: Path, port: int) -> Iterator[Server]:
    port = port or free_port()
    address = f"127.0.0.1:{port}"
    log = folder / f"server-{port}.log"
    command = [*command, option, address if option == "--bind" else str(port)]
    with _started(command, env=env, log=log, folder=folder) as child:
        is_up = partial(live, address, host=env["MAIN_HOST"])
        wait_until(lambda: is_up() or child.popen.poll() is not None, seconds=STARTING_SECONDS, every=0.1)
        if not is_up():
            raise NotStarted(f"{' '.join(command)} does not answer:\n{log.read_text()[-2000:]}")
        try:
            yield Server(child.popen.pid, address)
        except RuntimeError:  # it answered something else than it should
            print(log.read_text()[-3000:], file=sys.stderr)
            raise


@contextmanager
def _started(command: Command, *, env: Mapping[str, str], log: Path, folder: Path) -> Iterator[Child]:
    family = Family(folder)
    try:
        yield family.start("web", command, env=env, log=log)
    finally:
        family.stop_all()
