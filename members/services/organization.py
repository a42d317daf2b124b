"""What administrators change about their organization."""

from django.db import transaction

from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.context import current_organization
from tenants.models import Organization

CHANGEABLE = {"name", "timezone", "currency"}


@transaction.atomic
def change_organization(*, actor: Member, **values: str) -> Organization:
    """Change name, time zone or currency of the current organization."""
    require(actor, "organization.manage")
    organization: Organization = Organization.objects.select_for_update(no_key=True).get(pk=current_organization().pk)
    before = {field: getattr(organization, field) for field in values.keys() & CHANGEABLE}
    for field in before:
        setattr(organization, field, values[field])
    organization.save(update_fields=list(before))
    audit.record(actor=actor, action="organization.changed", target=organization, previous=before, now=values)
    return organization
