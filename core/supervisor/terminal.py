"""Words for the person at the terminal."""

import errno
import signal
import sys


class Trouble(Exception):
    """Something only a person can mend: one plain sentence with the remedy."""


def say(text: str = "") -> None:
    """Print a line at once; a terminal that went away stops nobody."""
    try:
        print(text, flush=True)
    except OSError:
        sys.stdout = None


def plain(error: OSError) -> str:
    """Put an operating system error as a sentence with its remedy."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}: free at least 500 MB, then start again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"Loved may not write here{where}: run it as the user who owns this folder, or in a clone of your own."
    return f"The operating system refused something Loved needs: {error}."


class StopAsked(Exception):
    """Somebody pressed Ctrl-C or sent a signal: stop in order."""


class Interrupts:
    """Remembers a request to stop, so that it is obeyed between two steps and never inside one."""

    def __init__(self) -> None:
        self.asked: int | None = None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.note)

    def note(self, number: int, _frame: object) -> None:
        self.asked = number

    def obey(self) -> None:
        if self.asked:
            raise StopAsked
