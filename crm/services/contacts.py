"""What happens to contacts by themselves: created, changed, noted, archived. What leads do to them is in `people`."""

from datetime import datetime

from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing, Stale
from crm.models import Contact, Lead
from crm.services.news import announce_bulk, announce_leads
from crm.services.people import contact_fields, find_or_create_company
from crm.services.timeline import log_activity
from crm.signals import contact_changed
from members.models import Member
from members.permissions import require
from members.services import audit

KEYS = ("name", "email", "phone", "company_name")
# A board is told of so many leads one by one; of more it is told that many changed.
MOST_TOLD = 100


@transaction.atomic
def create_contact(
    *, actor: Member, name: str = "", email: str = "", phone: str = "", company_name: str = "", is_sure: bool = False
) -> Contact:
    """Create a contact. Somebody with this e-mail or phone already is an `Invalid`, unless the member is sure."""
    require(actor, "contact.create")
    fields = contact_fields(name=name, email=email, phone=phone)
    if not any(fields.values()):
        raise Invalid(_("Say at least a name, an e-mail or a phone."))
    if not is_sure and same_as(actor=actor, email=email, phone=phone):
        raise Invalid(_("There is somebody with this e-mail or phone already."), field="is_sure")
    contact = Contact.objects.create(**fields, company=find_or_create_company(name=company_name))
    log_activity(contact=contact, verb="contact_created", actor=actor)
    audit.record(actor=actor, action="contact.created", target=contact, after=values_of(contact))
    return contact


@transaction.atomic
def change_contact(*, actor: Member, contact_id: int, version: int | None = None, **values: str) -> Contact:
    """Change facts of a contact: name, email, phone, company_name.

    Locks its leads, then the contact; the boards of those leads are told. Raises `Missing`, `Forbidden`,
    `Stale`, `Invalid`.
    """
    contact = _locked(actor, contact_id)
    require(actor, "contact.edit")
    _refuse_archived(contact)
    _check_version(contact, version)
    before = values_of(contact)
    typed = {key: values.get(key, before[key]) for key in ("name", "email", "phone")}
    fields = contact_fields(**typed)
    if not any(fields.values()):
        raise Invalid(_("Say at least a name, an e-mail or a phone."))
    for field, value in fields.items():
        setattr(contact, field, value)
    if "company_name" in values:
        contact.company = find_or_create_company(name=values["company_name"])
    after = values_of(contact)
    changed = {key for key in after if after[key] != before[key]}
    if not changed:
        return contact
    _save(contact, [*fields, "company"])
    before, after = ({key: side[key] for key in sorted(changed)} for side in (before, after))
    names = {"name": "contact_name"}
    shown = [{names.get(key, key): value for key, value in side.items()} for side in (before, after)]
    log_activity(contact=contact, verb="changed", actor=actor, before=shown[0], after=shown[1])
    audit.record(
        actor=actor, action="contact.changed", target=contact, before=before, after=after, fields=sorted(changed)
    )
    contact_changed.send(sender=Contact, contact=contact, actor=actor, fields=changed)
    touch_leads(Q(contact=contact), at=contact.updated_at, actor=actor)
    return contact


@transaction.atomic
def add_contact_note(*, actor: Member, contact_id: int, text: str) -> Contact:
    """Write a note on a contact."""
    contact = _locked(actor, contact_id)
    require(actor, "contact.edit")
    _refuse_archived(contact)
    text = text.strip()
    if not text:
        raise Invalid(_("Write something first."))
    if len(text) > 10_000:
        raise Invalid(_("A note has at most 10,000 characters."))
    _save(contact, [])
    log_activity(contact=contact, verb="note", actor=actor, text=text)
    audit.record(actor=actor, action="contact.noted", target=contact)
    return contact


@transaction.atomic
def archive_contact(*, actor: Member, contact_id: int, version: int | None = None) -> Contact:
    """Put a contact away. Its leads stay, and new ones do not find it any more."""
    return _archive(actor=actor, contact_id=contact_id, version=version, archived=True)


@transaction.atomic
def restore_contact(*, actor: Member, contact_id: int, version: int | None = None) -> Contact:
    """Bring an archived contact back, unless it became part of another."""
    return _archive(actor=actor, contact_id=contact_id, version=version, archived=False)


def same_as(*, actor: Member, email: str = "", phone: str = "", but: Contact | None = None) -> list[Contact]:
    """Return the contacts that a member sees with this e-mail or phone, at most five; nonsense finds nobody."""
    try:
        fields = contact_fields(name="", email=email, phone=phone)
    except Invalid:
        fields = contact_fields(name="", email="", phone=phone)
    clause = Q()
    if fields["email"]:
        clause |= Q(email=fields["email"])
    if fields["phone_key"]:
        clause |= Q(phone_key=fields["phone_key"])
    if not clause:
        return []
    found = Contact.objects.visible_to(actor).current().select_related("company").filter(clause)
    return list(found.exclude(pk=but.pk if but else 0).order_by("pk")[:5])


def values_of(contact: Contact) -> dict[str, str]:
    """Say what a contact is, in the words of its form."""
    return {
        "name": contact.name,
        "email": contact.email,
        "phone": contact.phone,
        "company_name": contact.company.name if contact.company else "",
    }


def touch_leads(which: Q, *, at: datetime, actor: Member) -> int:
    """Count some leads up, because what their cards show has changed, and tell their boards. Return how many."""
    leads = Lead.objects.filter(which)
    count = leads.update(version=F("version") + 1, updated_at=at)
    boards: dict[int, list[Lead]] = {}
    for lead in leads.current().select_related("stage"):
        boards.setdefault(lead.stage.pipeline_id, []).append(lead)
    for pipeline_id, shown in boards.items():
        stages = {lead.stage_id for lead in shown}
        if len(shown) > MOST_TOLD:
            announce_bulk(pipeline_id=pipeline_id, stage_ids=stages, actor=actor)
        else:
            announce_leads(pipeline_id=pipeline_id, leads=shown, stage_ids=stages, actor=actor)
    return count


def lock_leads(which: Q) -> None:
    """Lock some leads in a fixed order, before what they point to is locked."""
    list(Lead.objects.select_for_update(no_key=True).filter(which).order_by("pk").values_list("pk"))


def _archive(*, actor: Member, contact_id: int, version: int | None, archived: bool) -> Contact:
    contact = _locked(actor, contact_id)
    require(actor, "contact.archive")
    _check_version(contact, version)
    if bool(contact.archived_at) == archived:
        return contact
    if contact.merged_into_id:
        raise Invalid(_("This contact became part of another. It cannot come back."))
    contact.archived_at = timezone.now() if archived else None
    _save(contact, ["archived_at"])
    verb = "archived" if archived else "restored"
    log_activity(contact=contact, verb=verb, actor=actor)
    audit.record(actor=actor, action=f"contact.{verb}", target=contact)
    contact_changed.send(sender=Contact, contact=contact, actor=actor, fields={"archived_at"})
    return contact


def _locked(actor: Member, contact_id: int) -> Contact:
    """Lock the leads of a contact that the member may see, then the contact, or raise `Missing`."""
    if not Contact.objects.visible_to(actor).filter(pk=contact_id).exists():
        raise Missing
    lock_leads(Q(contact=contact_id))
    return Contact.objects.select_for_update(no_key=True, of=("self",)).select_related("company").get(pk=contact_id)


def _save(contact: Contact, fields: list[str]) -> None:
    contact.version += 1
    contact.updated_at = timezone.now()
    contact.save(update_fields=[*fields, "version", "updated_at"])


def _refuse_archived(contact: Contact) -> None:
    if contact.archived_at:
        raise Invalid(_("This contact is archived. Restore it first."))


def _check_version(contact: Contact, version: int | None) -> None:
    if version is not None and version != contact.version:
        raise Stale(_("Somebody else changed this contact in the meantime. Look at it again."), version=contact.version)
