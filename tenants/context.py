"""The one place where the schema is switched."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

from django.db import connection
from django_tenants.utils import tenant_context

from core.errors import AppError
from tenants.models import Organization

PUBLIC = "public"
# The connection as django-tenants extends it, which its type does not say.
tenant_connection = cast(Any, connection)


class NoOrganization(AppError):
    """Refuse to work on an organization's data outside of any organization."""

    code = "no_organization"
    status = 404


@contextmanager
def in_organization(organization: Organization) -> Iterator[Organization]:
    """Run a block inside an organization, and return to where one was before."""
    with tenant_context(organization):
        yield organization


def each_organization(work: Callable[[Organization], Any]) -> None:
    """Do something once inside every organization, in order of age."""
    for organization in Organization.objects.order_by("pk").iterator(chunk_size=200):
        with in_organization(organization):
            work(organization)


def enter(organization: Organization) -> None:
    """Stay inside an organization until `leave`: for middleware, which has no block."""
    tenant_connection.set_tenant(organization)


def leave() -> None:
    """Return to the public schema."""
    tenant_connection.set_schema_to_public()


def current_organization() -> Organization:
    """Return the organization that we are in; raise `NoOrganization` in the public schema."""
    tenant = tenant_connection.tenant
    if not isinstance(tenant, Organization):
        raise NoOrganization
    return tenant


def current_schema() -> str:
    """Name the schema that queries of this thread go to."""
    return cast(str, tenant_connection.schema_name)


def cache_key(key: str, prefix: str, version: int) -> str:
    """Build a cache key that two organizations cannot share."""
    return f"{current_schema()}:{prefix}:{version}:{key}"
