"""A pulse through beat, broker and worker: one that stops is noticed within two minutes."""

import time

from core.redis import ValkeyError, client

KEY = "loved:heartbeat"
# Beat sends one each minute; missing one may be bad luck.
STALLED_AFTER = 120


def beat() -> None:
    """Note that a worker has just run something that beat sent."""
    client().set(KEY, int(time.time()))


def age() -> int | None:
    """Return the seconds since the last pulse; None if there was none or Valkey is away."""
    try:
        last = client().get(KEY)
    except ValkeyError:
        return None
    return max(0, int(time.time()) - int(str(last))) if last else None


def state() -> str:
    """Say how the workers are: `ok`, `stalled`, or `unknown` before the first pulse and without Valkey."""
    seconds = age()
    if seconds is None:
        return "unknown"
    return "ok" if seconds <= STALLED_AFTER else "stalled"
