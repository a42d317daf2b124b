"""Check the audit trail of an organization."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from members.services.sealing import seal, verify
from tenants.context import in_organization
from tenants.models import Organization


class Command(BaseCommand):
    """Seal what is new, then check every entry, detail and seal; name what was tampered with."""

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug")
        parser.add_argument("--head", default="", help="a seal that was written down earlier and must be in the chain")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.filter(slug=options["slug"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['slug']}.")
        with in_organization(organization):
            seal()
            verdict = verify(head=options["head"])
        for fault in verdict.faults:
            self.stderr.write(fault)
        summary = f"{verdict.entries} entries in {verdict.seals} seals, {verdict.unsealed} not sealed yet"
        if verdict.faults:
            raise CommandError(f"{summary}: {len(verdict.faults)} faults")
        self.stdout.write(f"{summary}: intact\nhead {verdict.head}")
