"""A real site whose processes may be killed at any moment: web, worker, two beats and Valkey."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

from django.conf import settings

from core.supervisor.processes import Family
from core.supervisor.programs import program

# Short enough for a test; a site in production waits for 20 and 120 seconds.
PACE = {"SWEEP_SECONDS": "1", "NUDGE_SECONDS": "3"}
NAMES = ("valkey", "web", "worker", "beat", "second beat")


class House:
    """Child processes by name. `kill` takes no leave; `start` begins one again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.address = f"localhost:{self.port}"
        self.socket = folder / "valkey.sock"
        database = settings.DATABASES["default"]
        self.env = {
            **os.environ,
            **PACE,
            "LOVED_ENV": "development",
            "MAIN_HOST": self.address,
            "STATE_DIR": str(folder),
            "LOG_LEVEL": "WARNING",
            "DATABASE_URL": f"postgresql://{database['USER']}:{database['PASSWORD']}@/{database['NAME']}"
            f"?host={database['HOST']}&port={database['PORT']}",
            "REDIS_URL": f"unix://{self.socket}?db=0",
        }
        celery = [sys.executable, "-m", "celery", "-A", "config.celery"]
        self.commands = {
            "valkey": [
                str(program("valkey-server", account=None)), "--port", "0", "--unixsocket", str(self.socket),
                "--dir", str(folder), "--save", "", "--maxmemory-policy", "noeviction",
            ],
            "web": [
                sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(self.port),
                "--lifespan", "off", "--no-access-log", "--log-level", "warning",
            ],
            "worker": [
                *celery, "worker", "--loglevel", "WARNING", "--concurrency", "2",
                "--without-gossip", "--without-mingle", "--without-heartbeat", "--include", "tests.crash.poison",
            ],
            "beat": [*celery, "beat", "--pidfile", "", "--schedule", str(folder / "beat"), "--loglevel", "WARNING"],
            "second beat": [
                *celery, "beat", "--pidfile", "", "--schedule", str(folder / "beat-2"), "--loglevel", "WARNING",
            ],
        }  # fmt: skip
        # One for each child: should the tests themselves be killed, a warden ends what they started.
        self.families: dict[str, Family] = {}
        self.locks = {name: threading.RLock() for name in NAMES}

    def open(self) -> None:
        """Start everything and wait until pages are answered."""
        for name in NAMES:
            self.start(name)
        self.wait_for_web()

    def start(self, name: str) -> None:
        with self.locks[name]:
            if name in self.families:
                return
            family = self.families[name] = Family(self.folder)
            env = self.env | ({"DB_POOL": "10"} if name == "web" else {})
            family.start("command", self.commands[name], env=env, log=self.log(name), grace=5)

    def kill(self, name: str, *, only: str = "all") -> None:
        """Kill with signal 9: a whole group of processes, its `parent` only, or one `child` of it."""
        with self.locks[name]:
            if name not in self.families:
                return
            pid = self.families[name].children["command"].entry.pid
            victims = children_of(pid)[:1] if only == "child" else [pid]
            for victim in victims:
                signal_process(victim, is_group=only == "all")
            if only == "child":
                return
            time.sleep(0.05)
            self.let_go(name)

    def renew(self, *names: str) -> None:
        for name in names:
            self.kill(name)
            self.start(name)

    def let_go(self, name: str) -> None:
        """End what a killed process left behind, and forget it."""
        self.families.pop(name).stop_all()

    def pid(self, name: str) -> int:
        """Return the number of a process that lives."""
        process = self.families[name].children["command"].popen
        assert process.poll() is None, f"{name} ended by itself: {self.log(name)}"
        return process.pid

    def flush(self) -> None:
        """Empty Valkey, as an eviction or an operator would; while it is away there is nothing to empty."""
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self.socket))
                connection.sendall(b"FLUSHALL\r\n")
                connection.recv(64)
        except OSError:
            return

    def wait_for_web(self) -> None:
        for _attempt in range(300):
            try:
                with urllib.request.urlopen(f"http://{self.address}/health/ready", timeout=5):
                    return
            except OSError:
                time.sleep(0.2)
        raise AssertionError(f"the site did not come up:\n{self.log('web').read_text(errors='replace')[-3000:]}")

    def log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.log"

    def close(self) -> None:
        for name in reversed(NAMES):
            with self.locks[name]:
                if name in self.families:
                    self.let_go(name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def children_of(pid: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def signal_process(pid: int, *, is_group: bool) -> None:
    try:
        (os.killpg if is_group else os.kill)(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
