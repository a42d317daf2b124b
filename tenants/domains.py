"""Host names of their own: one check of what may be one, and how organizations get and lose them."""

import re

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from core.errors import Invalid, Missing
from tenants.context import in_organization
from tenants.models import Domain, Organization
from tenants.platform import is_main_host
from tenants.signals import domain_changed

LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
HOST = re.compile(rf"(?=.{{4,253}}\Z){LABEL}(\.{LABEL})*\.(?!\d+\Z){LABEL}")


def clean_host(text: str) -> str:
    """Return a host name in the form in which browsers send it; raise `Invalid` for what is none.

    Letters outside ASCII become punycode. The main host and its subdomains are refused: cookies and
    sign-in of the platform live there.
    """
    host = text.strip().rstrip(".").lower()
    try:
        host = host.encode("idna").decode()
    except UnicodeError as error:
        raise Invalid(_("This is not a host name.")) from error
    if not HOST.fullmatch(host):
        raise Invalid(_("Give a host name such as crm.example.com: no address of a page, no port, no number."))
    main = settings.MAIN_HOST.lower().partition(":")[0]
    if is_main_host(host) or host == main or host.endswith(f".{main}"):
        raise Invalid(_("This host belongs to the platform itself."))
    return host


def add_domain(*, organization: Organization, host: str, is_primary: bool = True) -> Domain:
    """Give an organization a host; links lead to the primary one. Raises `Invalid` when it is taken."""
    host = clean_host(host)
    try:
        with transaction.atomic(), in_organization(organization):
            domain: Domain = Domain.objects.create(tenant=organization, domain=host, is_primary=is_primary)
            domain_changed.send(sender=Domain, organization=organization, domain=domain, is_added=True)
    except IntegrityError as error:
        raise Invalid(_("This host belongs to an organization already.")) from error
    return domain


def remove_domain(*, host: str) -> Organization:
    """Take a host away from its organization, which is found on the main host again; return it."""
    with transaction.atomic():
        domain = Domain.objects.select_for_update(of=("self",)).filter(domain=host.strip().lower()).first()
        if domain is None:
            raise Missing(_("No organization has this host."))
        organization: Organization = domain.tenant
        with in_organization(organization):
            domain_changed.send(sender=Domain, organization=organization, domain=domain, is_added=False)
        domain.delete()
    return organization
