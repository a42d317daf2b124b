"""Restore organizations from a backup."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.archives import BadBackup, reading
from tenants.restores import check, restore


class Command(BaseCommand):
    """Restore what a backup holds beside the organizations that are here, whole or not at all."""

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--as", dest="slug", default="", help="give the restored organization this address")
        parser.add_argument("--replace", action="store_true", help="remove who has the address now, for good")
        parser.add_argument("--check", action="store_true", help="only say whether it could be restored")

    def handle(self, *args: Any, **options: Any) -> None:
        began = time.perf_counter()
        try:
            if options["check"]:
                with reading(options["file"]) as reader:
                    entries = check(reader, as_slug=options["slug"], replace=True)
                    made_at = reader.manifest["made_at"]
                self.stdout.write(f"Whole, made at {made_at}: {', '.join(entry['slug'] for entry in entries)}")
                return
            found = restore(options["file"], as_slug=options["slug"], replace=options["replace"], say=self.stdout.write)
        except BadBackup as error:
            raise CommandError(str(error)) from error
        for organization in found:
            self.stdout.write(organization.url("home"))
        self.stdout.write(f"Restored in {time.perf_counter() - began:.1f} s.")
