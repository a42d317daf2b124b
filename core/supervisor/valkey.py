"""The embedded Valkey: cache, channel layer and Celery's broker behind one unix socket."""

import os
import socket
from pathlib import Path

from core.supervisor.places import Place
from core.supervisor.processes import Child, Family, wait_until
from core.supervisor.programs import program
from core.supervisor.terminal import Trouble


def url(place: Place) -> str:
    return f"unix://{socket_path(place)}?db=0"


def socket_path(place: Place) -> Path:
    return place.sockets / "valkey.sock"


def start(family: Family, *, place: Place, fast: bool) -> Child:
    """Start Valkey and wait until it has read what it saved and answers."""
    log = place.logs / "valkey.log"
    socket_path(place).unlink(missing_ok=True)
    child = family.start(
        "valkey",
        [
            *(program("valkey-server", account=place.account), "--port", "0", "--daemonize", "no"),
            *("--unixsocket", socket_path(place), "--unixsocketperm", "700", "--dir", place.valkey),
            *("--save", "" if fast else "60 1", "--maxmemory-policy", "noeviction"),
        ],
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        cwd=Path("/"),
        log=log,
        account=place.account,
    )
    wait_until(lambda: answers(place) or child.popen.poll() is not None, seconds=60)
    if not answers(place):
        last = (log.read_text(errors="replace").splitlines() or ["it gave no reason"])[-1]
        raise Trouble(
            f"Valkey could not start: {last.strip()} Its log is {log}; if its data is broken, delete {place.valkey}."
        )
    return child


def answers(place: Place) -> bool:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            connection.connect(str(socket_path(place)))
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
    except OSError:
        return False
