"""Make, show or remove the demo organizations."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from core.errors import Invalid
from crm.services.demo import AURORA, JATOBA, demo_logins, had_organizations, make_demo, remove_demo


class Command(BaseCommand):
    """`demo`: make both anew. Their passwords are public, so production has no demo."""

    help = "Make two demo organizations with a few hundred leads; whatever was in them before goes."

    def add_arguments(self, parser: CommandParser) -> None:
        choice = parser.add_mutually_exclusive_group()
        choice.add_argument("--if-first", action="store_true", help="only if there never was an organization")
        choice.add_argument("--logins", action="store_true", help="print who may sign in, and do nothing")
        choice.add_argument("--remove", action="store_true", help="remove the demo organizations and their people")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["remove"]:
            self.stdout.write(f"Removed demo organizations: {remove_demo()}.")
            return
        if options["logins"]:
            self.say_logins()
            return
        if settings.PRODUCTION:
            raise CommandError("The demo's passwords are public: it is not made in production.")
        if options["if_first"] and had_organizations():
            return
        try:
            make_demo()
        except Invalid as error:
            addresses = " and ".join(company.slug for company in (AURORA, JATOBA))
            raise CommandError(f"{error} The demo uses {addresses}.") from error
        if not options["if_first"]:
            self.say_logins()

    def say_logins(self) -> None:
        for line in demo_logins():
            self.stdout.write(line)
