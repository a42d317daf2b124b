"""The e-mails that development keeps in files instead of sending them."""

import re
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings


@dataclass(frozen=True)
class Mail:
    """An e-mail as it would have arrived."""

    name: str
    to: str
    subject: str
    at: datetime | None
    text: str


def messages(limit: int = 50) -> list[Mail]:
    """Return the latest e-mails, newest first."""
    folder = Path(settings.EMAIL_FILE_PATH)
    files = sorted(folder.glob("*.log"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
    return [_read(file) for file in files[:limit]]


def find(name: str) -> Mail | None:
    """Return one e-mail by its file's name."""
    if not re.fullmatch(r"[0-9]{8}-[0-9]{6}-[0-9]+", name):
        return None
    file = Path(settings.EMAIL_FILE_PATH) / f"{name}.log"
    return _read(file) if file.is_file() else None


def _read(file: Path) -> Mail:
    # A file holds what one connection sent: the product sends one message a connection.
    raw = file.read_bytes().partition(b"\n" + b"-" * 79)[0]
    message = message_from_bytes(raw, policy=policy.default)
    body = message.get_body(preferencelist=("plain", "html"))
    return Mail(
        name=file.stem,
        to=str(message["to"]),
        subject=str(message["subject"]),
        at=parsedate_to_datetime(str(message["date"])) if message["date"] else None,
        text=str(body.get_content()) if body else "",
    )
