"""Bring every schema up to date."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.schemas import Outcome, migrate_all, refill_spares


class Command(BaseCommand):
    """Migrate public, the template, one canary and the rest; then keep spare schemas ready."""

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--no-spares", action="store_true", help="do not clone spare schemas afterwards")

    def handle(self, *args: Any, **options: Any) -> None:
        outcomes = migrate_all(self._report)
        failed = [outcome for outcome in outcomes if outcome.error]
        if failed:
            raise CommandError(f"{len(failed)} of {len(outcomes)} schemas failed; run it again when that is mended")
        if not options["no_spares"]:
            refill_spares()

    def _report(self, outcome: Outcome) -> None:
        if outcome.error:
            self.stderr.write(f"{outcome.schema}: {outcome.error}")
        elif self.verbosity > 1:
            self.stdout.write(f"{outcome.schema}: up to date")

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.verbosity = int(options["verbosity"])
        return super().execute(*args, **options)
