"""Host names of organizations."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.errors import AppError
from tenants.domains import add_domain, remove_domain
from tenants.models import Domain, Organization

NEXT = """{url}
What is left to do, by whoever owns {host}:
  1. In its DNS, a CNAME of {host} to {main} (or an A and an AAAA record with this server's addresses).
     Nothing is answered there before; that the record can be made shows whose the name is.
  2. Open the address: the proxy fetches a certificate on the first visit, as docs/operations.md says."""


class Command(BaseCommand):
    """Give organizations host names of their own, or take them away: add SLUG HOST, remove HOST, list."""

    help = __doc__

    def add_arguments(self, parser: Any) -> None:
        parts = parser.add_subparsers(dest="action", required=True)
        add = parts.add_parser("add")
        add.add_argument("slug")
        add.add_argument("host")
        add.add_argument("--second", action="store_true", help="also found there, but links lead to the first one")
        parts.add_parser("remove").add_argument("host")
        parts.add_parser("list")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['action']}")(options)
        except AppError as error:
            raise CommandError(str(error)) from error

    def _add(self, options: dict[str, Any]) -> None:
        organization = Organization.objects.filter(slug=options["slug"]).first()
        if organization is None:
            raise CommandError(f"There is no organization with the address {options['slug']}.")
        domain = add_domain(organization=organization, host=options["host"], is_primary=not options["second"])
        url = f"{settings.PUBLIC_SCHEME}://{domain.domain}/"
        self.stdout.write(NEXT.format(url=url, host=domain.domain, main=settings.MAIN_HOST))

    def _remove(self, options: dict[str, Any]) -> None:
        organization = remove_domain(host=options["host"])
        self.stdout.write(f"{organization} is found at {organization.url('home')}")

    def _list(self, options: dict[str, Any]) -> None:
        for domain in Domain.objects.select_related("tenant").order_by("domain"):
            self.stdout.write(f"{domain.domain}\t{domain.tenant.slug}\t{'links' if domain.is_primary else 'second'}")
