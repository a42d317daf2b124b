"""The environment of our own processes: the person's, `.env`, local keys, and addresses."""

import base64
import json
import os
import secrets
import subprocess
import sys

from dotenv import dotenv_values

from core.supervisor.places import ROOT, Place
from core.supervisor.terminal import Trouble

# In a process of its own: the drivers would weigh on the supervisor for as long as it runs.
PROBES = {
    "DATABASE_URL": "import psycopg; psycopg.connect(url, connect_timeout=5).execute('SELECT 1')",
    "REDIS_URL": "import redis; redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5).ping()",
}
SCHEMES = {"DATABASE_URL": ("postgresql://", "postgres://"), "REDIS_URL": ("redis://", "rediss://", "unix://")}


def own_environment() -> dict[str, str]:
    """Return the person's environment; what it does not say, `.env` says."""
    written = {name: value for name, value in dotenv_values(ROOT / ".env").items() if value is not None}
    return {name: value for name, value in (written | dict(os.environ)).items() if value or name not in SCHEMES}


def for_django(env: dict[str, str], *, place: Place, database_url: str, redis_url: str) -> dict[str, str]:
    """Return what a process of ours needs to find everything."""
    defaults = {"LOVED_ENV": "development", "STATE_DIR": str(place.home)} | local_keys(place)
    fixed = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "PYTHONUNBUFFERED": "1"}
    return defaults | env | fixed


def local_keys(place: Place) -> dict[str, str]:
    """Return this place's own keys, made once and readable for their owner only."""
    file = place.home / "keys.json"
    if not file.exists():
        field_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()  # what Fernet takes
        fresh = file.with_suffix(f".{os.getpid()}")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as output:
            json.dump({"SECRET_KEY": secrets.token_urlsafe(50), "FIELD_KEYS": field_key}, output)
        fresh.replace(file)
    try:
        keys: dict[str, str] = json.loads(file.read_text())
    except ValueError:
        raise Trouble(
            f"The file of local keys, {file}, is broken: restore it, or start empty with ./loved reset."
        ) from None
    return keys


def check_answers(variable: str, *, url: str) -> None:
    """Refuse to go on with an address of the person's own at which no server answers."""
    hint = f"Correct {variable} in the environment or in .env, or remove it to use the server that Loved brings."
    if not url.startswith(SCHEMES[variable]):
        raise Trouble(f"{variable} must begin with {' or '.join(SCHEMES[variable])}. {hint}")
    probe = f"import os; url = os.environ['PROBED']; {PROBES[variable]}"
    try:
        done = subprocess.run(
            [sys.executable, "-c", probe], env=os.environ | {"PROBED": url}, capture_output=True, text=True, timeout=20
        )
    except subprocess.TimeoutExpired:
        raise Trouble(f"No server answers at {variable} within 20 seconds. {hint}") from None
    if done.returncode:
        raise Trouble(f"{variable} does not work: {reason(done.stderr)}. {hint}")


def reason(stderr: str) -> str:
    """Pick the driver's own sentence out of a traceback."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    said = next(
        (line for line in reversed(lines) if "Error" in line and ": " in line), lines[-1] if lines else "no answer"
    )
    return said.partition(": ")[2].rstrip(". ") or said


def logs_of(place: Place) -> str:
    """Name the folder of logs, relative to the checkout if it is inside."""
    return str(place.logs.relative_to(ROOT)) if place.logs.is_relative_to(ROOT) else str(place.logs)
