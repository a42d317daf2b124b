"""Two contacts that are one person become one contact. It cannot be undone."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing, Stale
from crm.models import Activity, Contact, FollowUp, Lead
from crm.services.contacts import lock_leads, touch_leads, values_of
from crm.services.people import contact_fields
from crm.services.timeline import log_activity
from crm.signals import contacts_merged
from members.models import Member
from members.permissions import require
from members.services import audit

FIELDS = ("name", "email", "phone", "company")


@dataclass(frozen=True)
class Moving:
    """What of a contact goes over to the one that stays."""

    leads: int
    follow_ups: int
    notes: int


def what_moves(contact: Contact) -> Moving:
    """Count what a merge would take over from a contact."""
    return Moving(
        leads=Lead.objects.filter(contact=contact).count(),
        follow_ups=FollowUp.objects.filter(contact=contact).count(),
        notes=Activity.objects.filter(contact=contact, verb="note").count(),
    )


@transaction.atomic
def merge_contacts(
    *,
    actor: Member,
    contact_id: int,
    other_id: int,
    from_other: Mapping[str, bool],
    version: int | None = None,
    other_version: int | None = None,
) -> Contact:
    """Make the other contact part of the first: leads, follow-ups and its own history go over, it is archived.

    `from_other` says for name, email, phone and company whose value stays. Locks the leads of both, then
    both contacts. Raises `Missing`, `Forbidden`, `Stale`, `Invalid`.
    """
    require(actor, "contact.merge")
    if contact_id == other_id:
        raise Invalid(_("A contact cannot become part of itself."))
    contact, other = _locked(actor, contact_id, other_id)
    for each, seen in ((contact, version), (other, other_version)):
        if each.archived_at:
            raise Invalid(_("One of the two is archived. Restore it first."))
        if seen is not None and seen != each.version:
            raise Stale(_("Somebody else changed one of the two in the meantime. Look at them again."))
    before, gone, moving = values_of(contact), values_of(other), what_moves(other)
    now = timezone.now()
    _choose(contact, other, from_other)
    other.archived_at, other.merged_into = now, contact
    for each, fields in ((other, ["archived_at", "merged_into"]), (contact, [*FIELDS, "phone_key"])):
        each.version += 1
        each.updated_at = now
        each.save(update_fields=[*fields, "version", "updated_at"])
    Contact.objects.filter(merged_into=other).update(merged_into=contact)
    moved = list(Lead.objects.filter(contact=other).values_list("pk", flat=True))
    Lead.objects.filter(pk__in=moved).update(contact=contact)
    FollowUp.objects.filter(contact=other).update(contact=contact, version=F("version") + 1)
    Activity.objects.filter(contact=other).update(contact=contact)
    log_activity(contact=contact, verb="merged", actor=actor, name=str(other), leads=moving.leads)
    audit.record(
        actor=actor, action="contact.merged", target=contact, before={"contact": before, "other": gone},
        after=values_of(contact), other=other.pk, leads=moved, follow_ups=moving.follow_ups, notes=moving.notes,
    )  # fmt: skip
    contacts_merged.send(sender=Contact, contact=contact, other=other, actor=actor)
    touch_leads(Q(contact=contact), at=now, actor=actor)
    return contact


def _choose(contact: Contact, other: Contact, from_other: Mapping[str, bool]) -> None:
    """Take over the values that were chosen; what the first has not, it always takes."""
    for field in FIELDS:
        if from_other.get(field) or not getattr(contact, field):
            setattr(contact, field, getattr(other, field) or getattr(contact, field))
    contact.phone_key = contact_fields(name="", email="", phone=contact.phone)["phone_key"]


def _locked(actor: Member, contact_id: int, other_id: int) -> tuple[Contact, Contact]:
    pks = [contact_id, other_id]
    if Contact.objects.visible_to(actor).filter(pk__in=pks).count() != len(pks):
        raise Missing
    lock_leads(Q(contact__in=pks))
    rows = Contact.objects.select_for_update(no_key=True, of=("self",)).select_related("company")
    found = {contact.pk: contact for contact in rows.filter(pk__in=pks).order_by("pk")}
    return found[contact_id], found[other_id]
