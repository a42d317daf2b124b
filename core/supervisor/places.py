"""Where local state lives, and which user runs the database servers."""

import hashlib
import os
import pwd
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from core.supervisor.terminal import Trouble

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_STATE = Path("/var/lib/loved")
SOCKET_NAME_ROOM = 24  # ".s.PGSQL.5432.lock" and a little air
SOCKET_PATH_LIMIT = 103  # macOS; Linux allows 107
FREE_MEGABYTES = 300


@dataclass(frozen=True)
class Account:
    """The unprivileged user that runs the database servers when we are root."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Place:
    """A folder of local state: databases, logs, keys, uploads."""

    home: Path
    account: Account | None

    @property
    def database(self) -> Path:
        return self.home / "postgres"

    @property
    def valkey(self) -> Path:
        return self.home / "valkey"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def sockets(self) -> Path:
        """Return the folder of the unix sockets, elsewhere when this path cannot name a socket.

        A socket path is limited to about a hundred bytes, and not every client reads one with a space in it.
        """
        inside = self.home / "sockets"
        if len(os.fsencode(inside)) + SOCKET_NAME_ROOM < SOCKET_PATH_LIMIT and re.fullmatch(
            r"[\w./-]+", str(inside), re.A
        ):
            return inside
        runtime = Path(os.environ.get("XDG_RUNTIME_DIR", "/nowhere"))
        parent = runtime if runtime.is_dir() and runtime.stat().st_uid == os.geteuid() else Path("/tmp")  # noqa: S108
        return parent / f"loved-{os.geteuid()}-{short_hash(self.home)}"

    def prepare(self) -> None:
        """Make the folders, those of the database servers closed to everybody else."""
        self.home.mkdir(parents=True, exist_ok=True)
        if self.account:  # the servers' user passes through, and sees nothing on its way
            self.home.parent.chmod(0o711)
        self.home.chmod(0o711 if self.account else 0o700)
        self.logs.mkdir(exist_ok=True, mode=0o700)
        free = shutil.disk_usage(self.home).free // 1_000_000
        if free < FREE_MEGABYTES:
            raise Trouble(
                f"The disk that holds {self.home} is full ({free} MB free): free at least 500 MB, then start again."
            )
        for folder in (self.valkey, self.sockets):
            make_private(folder, account=self.account)

    def remove(self) -> None:
        """Delete all local state."""
        shutil.rmtree(self.sockets, ignore_errors=True)
        if self.home.exists():
            shutil.rmtree(self.home)


def place_at(folder: Path | None = None) -> Place:
    """Find the place for a folder: itself, or, as root, one below /var/lib that the servers' user can enter."""
    folder = (folder or ROOT / "var").absolute()
    if os.geteuid() != 0:
        return Place(folder, None)
    return Place(SYSTEM_STATE / short_hash(folder), server_account())


def server_account() -> Account:
    """Return the user for the servers: PostgreSQL refuses to run as root."""
    name = os.environ.get("PG_RUN_USER", "nobody")
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise Trouble(f"There is no user '{name}' to run PostgreSQL: set PG_RUN_USER to an ordinary user.") from None
    if entry.pw_uid == 0:
        raise Trouble("PostgreSQL refuses to run as root: set PG_RUN_USER to an ordinary user, or unset it.")
    return Account(name, entry.pw_uid, entry.pw_gid)


def make_private(folder: Path, *, account: Account | None) -> None:
    """Make a folder that only its owner enters, and trust no other in its stead."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account and folder.lstat().st_uid == 0:
        os.chown(folder, account.uid, account.gid)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != (account.uid if account else os.geteuid()):
        raise Trouble(f"{folder} belongs to somebody else: remove it, then start again.")
    folder.chmod(0o700)


def short_hash(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
