"""Back up one organization or all of them."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.archives import BadBackup
from tenants.backups import all_organizations, back_up


class Command(BaseCommand):
    """Write one organization, or all of them with every login, to a file: rows, uploads, checksums."""

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug", nargs="?", default="", help="one organization, as in /o/<slug>/; else all")
        parser.add_argument("file", type=Path, help="where the backup goes; it must not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        began, path, slug = time.perf_counter(), options["file"], options["slug"]
        organizations = all_organizations()
        if slug:
            organizations = [organization for organization in organizations if organization.slug == slug]
        if slug and not organizations:
            raise CommandError(f"There is no organization with the address {slug}.")
        try:
            back_up(path, organizations=organizations, with_logins=not slug, say=self.stdout.write)
        except BadBackup as error:
            raise CommandError(str(error)) from error
        size, seconds = path.stat().st_size / 2**20, time.perf_counter() - began
        self.stdout.write(f"{path}: {size:.1f} MB, {seconds:.1f} s, organizations: {len(organizations)}")
        self.stdout.write("Keep FIELD_KEYS elsewhere: without them the secrets in this file stay closed.")
