"""Create an organization from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import AppError
from tenants.models import User
from tenants.services import create_organization


class Command(BaseCommand):
    """Create an organization; its owner is made when there is none of this e-mail."""

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("owner_email")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["owner_email"].strip().lower()
        owner = User.objects.filter(email=email).first()
        is_new = owner is None
        if owner is None:
            owner = User.objects.create_user(email, None, name=email.partition("@")[0])
        try:
            organization = create_organization(name=options["name"], owner=owner, slug=options["slug"])
        except AppError as error:
            if is_new:
                owner.delete()
            raise CommandError(str(error)) from error
        self.stdout.write(organization.url("home"))
        if is_new:
            self.stdout.write(f"{email} has no password yet: use “forgot password” on the sign-in page.")
