"""Bring an installation to the version of this code."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django_tenants.utils import schema_exists

from core import VERSION
from core.redis import ValkeyError, client
from tenants.archives import BadBackup
from tenants.backups import all_organizations, back_up
from tenants.context import PUBLIC
from tenants.models import Organization
from tenants.schemas import TEMPLATE, behind


class Command(BaseCommand):
    """Check, back up what is about to change, migrate every schema, and say how it stands afterwards.

    Run it once per release, before the new processes start. It may be run again at any time: where nothing
    is behind it changes nothing and makes no backup.
    """

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--backup", type=Path, help="where the backup goes; else STATE_DIR/backups/")
        parser.add_argument("--no-backup", action="store_true", help="you have one already")

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("check", deploy=settings.LOVED_ENV == "production", fail_level="ERROR")
        is_new = not _has_tables()
        if is_new:
            self.stdout.write("The database is empty: making it ready.")
        elif not _behind():
            self.stdout.write("Every schema is up to date.")
        elif not options["no_backup"]:
            self._back_up(options["backup"] or _place())
        if is_new or _behind():
            call_command("migrate_organizations", stdout=self.stdout, stderr=self.stderr)
        self._say_health()

    def _back_up(self, path: Path) -> None:
        organizations = all_organizations()
        if not organizations:
            return
        self.stdout.write(f"Backing up {len(organizations)} organizations to {path}")
        try:
            back_up(path, organizations=organizations, with_logins=True)
        except BadBackup as error:
            raise CommandError(f"{error} Nothing was changed.") from error
        except DatabaseError as error:
            reason = str(error).partition("\n")[0]
            raise CommandError(f"The backup failed ({reason}), and nothing was changed.") from error

    def _say_health(self) -> None:
        left = _behind()
        if left:
            raise CommandError(f"{len(left)} schemas are behind: run it again when what is said above is mended.")
        try:
            client().ping()
        except ValkeyError:
            self.stdout.write("Valkey does not answer: pages work, live updates and background work wait for it.")
        self.stdout.write(f"Loved {VERSION} is ready: {Organization.objects.count()} organizations, none behind.")


def _has_tables() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.tenants_organization')")
        return cursor.fetchone()[0] is not None


def _behind() -> list[str]:
    schemas = [organization.schema_name for organization in all_organizations()]
    return behind([PUBLIC, *([TEMPLATE] if schema_exists(TEMPLATE) else []), *schemas])


def _place() -> Path:
    folder = settings.STATE_DIR / "backups"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Path(folder / f"before-{VERSION}-{datetime.now(UTC):%Y%m%d-%H%M%S}.loved")
