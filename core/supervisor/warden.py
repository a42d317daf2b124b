"""Outlive a supervisor that was killed, stop what it started, and go. Its standard input closes when that happens."""

import signal
import sys
from pathlib import Path

from core.supervisor.processes import stop_recorded

if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    sys.stdin.buffer.read()
    stop_recorded(Path(sys.argv[1]))
