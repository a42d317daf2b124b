"""Import a spreadsheet without a browser: `import_leads acme leads.csv --json`."""

import json
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.files.base import File
from django.core.management.base import BaseCommand, CommandError
from django.utils import translation

from core.errors import AppError
from crm.models import Import
from crm.services.import_run import run_import
from crm.services.imports import create_import, start_import
from members.models import Member, Role
from tenants.context import in_organization
from tenants.models import Organization


class Command(BaseCommand):
    help = "Import leads from a CSV file into an organization, with the guessed mapping of its columns."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="the organization, as in /o/<slug>/")
        parser.add_argument("file", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
        parser.add_argument(
            "--as", dest="email", default="", help="the member who imports; else the first administrator"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["slug"]).first()
        if organization is None:
            raise CommandError(f"There is no organization with the address {options['slug']}.")
        if not options["file"].is_file():
            raise CommandError(f"There is no file {options['file']}.")
        began = time.perf_counter()
        with in_organization(organization), translation.override("en"):
            try:
                import_ = _import(options["file"], email=options["email"])
            except AppError as error:
                raise CommandError(str(error)) from error
        if import_.status != Import.Status.DONE:
            raise CommandError(import_.error)
        found = {
            "rows": import_.total,
            "created": import_.created,
            "skipped": import_.skipped,
            "failed": import_.failed,
            "seconds": round(time.perf_counter() - began, 3),
        }
        self.stdout.write(json.dumps(found) if options["json"] else _sentence(import_, found))


def _import(path: Path, *, email: str) -> Import:
    members = Member.objects.filter(is_active=True).order_by("pk")
    actor = members.filter(email__iexact=email).first() if email else members.filter(role=Role.ADMIN).first()
    if actor is None:
        raise CommandError("There is no such active member.")
    with path.open("rb") as file:
        import_ = create_import(actor=actor, file=File(file), name=path.name)
    start_import(actor=actor, import_id=import_.pk, is_deferred=False)
    run_import(import_.pk)
    import_.refresh_from_db()
    return import_


def _sentence(import_: Import, found: dict[str, Any]) -> str:
    counts = "{rows} rows: {created} created, {skipped} skipped, {failed} failed, in {seconds} s.".format(**found)
    return f"{counts}\nReasons: {import_.errors_file.path}" if import_.errors_file else counts
