"""Follow-ups: planned, changed, done, cancelled, open again. Every rule is here."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing, Stale
from crm.models import Contact, FollowUp, Lead
from crm.services.news import announce_leads
from crm.services.reminders import reminder_instant, stamp
from crm.services.timeline import log_activity
from crm.signals import follow_up_changed, follow_up_closed, follow_up_planned
from crm.tasks import remind_follow_up
from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.context import current_organization
from tenants.jobs import defer_until

LATEST_TIME = time(23, 59, 59)
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 12, 31)
MOST_MINUTES = 4 * 7 * 24 * 60
KEYS = frozenset({"kind", "title", "note", "day", "at", "owner", "reminder"})


@dataclass(frozen=True)
class Finished:
    """A follow-up that is done, and whether something else is planned about the same lead or contact."""

    follow_up: FollowUp
    has_next: bool


@transaction.atomic
def plan_follow_up(
    *,
    actor: Member,
    day: date,
    at: time | None = None,
    lead_id: int | None = None,
    contact_id: int | None = None,
    kind: str = FollowUp.Kind.CALL,
    title: str = "",
    note: str = "",
    owner: Member | None = None,
    reminder: int | None = None,
) -> FollowUp:
    """Plan a next step about a lead, or about a contact by itself; without an owner it is the actor's.

    Locks the lead or the contact. `reminder` is in minutes before. Raises `Missing`, `Forbidden`, `Invalid`.
    """
    lead, contact = _subject(actor, lead_id=lead_id, contact_id=contact_id)
    follow_up = FollowUp(lead=lead, contact=contact, owner=owner or actor, created_by=actor)
    values = {"kind": kind, "title": title, "note": note, "day": day, "at": at, "reminder": reminder}
    _apply(follow_up, values)
    _check_owner(follow_up)
    follow_up.save()
    _owe_reminder(follow_up)
    _tell(follow_up, actor, verb="follow_up_planned", action="follow_up.planned", after=_readable(follow_up))
    follow_up_planned.send(sender=FollowUp, follow_up=follow_up, actor=actor)
    return follow_up


@transaction.atomic
def change_follow_up(*, actor: Member, follow_up_id: int, version: int | None = None, **values: Any) -> FollowUp:
    """Change an open follow-up. Keys: kind, title, note, day and at (together), owner, reminder.

    Locks the lead, then the follow-up. Raises `Missing`, `Forbidden`, `Stale`, `Invalid`.
    """
    if unknown := values.keys() - KEYS:
        raise KeyError(unknown)
    follow_up = _locked(actor, follow_up_id)
    _check_version(follow_up, version)
    if not follow_up.is_open:
        raise Invalid(_("This is done or cancelled already. Reopen it first."))
    before, owner = _readable(follow_up), follow_up.owner
    if values.get("owner"):
        follow_up.owner = values["owner"]
    _apply(follow_up, values)
    if follow_up.owner != owner:
        _check_owner(follow_up)
    after = _readable(follow_up)
    changed = {key for key in after if after[key] != before[key]}
    if not changed:
        return follow_up
    if changed & {"due_at", "reminder"}:
        follow_up.reminded_at = None
    follow_up.version += 1
    follow_up.save()
    _owe_reminder(follow_up)
    before = {key: before[key] for key in sorted(changed)}
    _tell(
        follow_up, actor, verb="follow_up_changed", action="follow_up.changed",
        before=before, after={key: after[key] for key in before},
    )  # fmt: skip
    follow_up_changed.send(sender=FollowUp, follow_up=follow_up, actor=actor, fields=changed)
    return follow_up


@transaction.atomic
def finish_follow_up(*, actor: Member, follow_up_id: int, version: int | None = None) -> Finished:
    """Mark a follow-up as done, and say whether there is a next step."""
    follow_up = _locked(actor, follow_up_id)
    _check_version(follow_up, version)
    if follow_up.done_at is None:
        if follow_up.cancelled_at:
            raise Invalid(_("This was cancelled. Reopen it first."))
        _close(follow_up, actor, verb="done", done_at=timezone.now(), done_by=actor)
    return Finished(follow_up, has_next=_has_next(follow_up))


@transaction.atomic
def cancel_follow_up(*, actor: Member, follow_up_id: int, version: int | None = None) -> FollowUp:
    """Take back an open follow-up. It stays on the timeline, and can be reopened."""
    follow_up = _locked(actor, follow_up_id)
    _check_version(follow_up, version)
    if follow_up.cancelled_at is None:
        if follow_up.done_at:
            raise Invalid(_("This is done already."))
        _close(follow_up, actor, verb="cancelled", cancelled_at=timezone.now())
    return follow_up


@transaction.atomic
def reopen_follow_up(*, actor: Member, follow_up_id: int, version: int | None = None) -> FollowUp:
    """Open a follow-up again that was done or cancelled."""
    follow_up = _locked(actor, follow_up_id)
    _check_version(follow_up, version)
    if not follow_up.is_open:
        _close(follow_up, actor, verb="reopened", done_at=None, done_by=None, cancelled_at=None)
        _owe_reminder(follow_up)
    return follow_up


def due_instant(day: date, at: time | None) -> datetime:
    """Return when a day, or a time of it, is due by the organization's clock."""
    return datetime.combine(day, at or LATEST_TIME, tzinfo=ZoneInfo(current_organization().timezone))


def day_and_time(follow_up: FollowUp) -> tuple[date, time | None]:
    """Return the day, and the time if it has one, by the organization's clock."""
    local = follow_up.due_at.astimezone(ZoneInfo(current_organization().timezone))
    return local.date(), local.time().replace(second=0, microsecond=0) if follow_up.has_time else None


def _subject(actor: Member, *, lead_id: int | None, contact_id: int | None) -> tuple[Lead | None, Contact | None]:
    """Lock the lead or the contact, as the member may change it, or raise."""
    if (lead_id is None) == (contact_id is None):
        raise Invalid(_("A follow-up is about a lead or about a contact."))
    if contact_id is not None:
        contacts = Contact.objects.visible_to(actor).select_for_update(no_key=True, of=("self",))
        contact = contacts.filter(pk=contact_id).first()
        if contact is None:
            raise Missing
        require(actor, "contact.edit")
        if contact.archived_at:
            raise Invalid(_("This contact is archived. Restore it first."))
        return None, contact
    lead = (
        Lead.objects.visible_to(actor)
        .select_related("owner", "stage")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=lead_id or 0)
        .first()
    )
    if lead is None:
        raise Missing
    require(actor, "lead.edit", lead)
    if lead.archived_at:
        raise Invalid(_("This lead is archived. Restore it first."))
    return lead, None


def _locked(actor: Member, follow_up_id: int) -> FollowUp:
    """Lock a follow-up and before it the lead, as everything else about a lead does."""
    seen = FollowUp.objects.visible_to(actor).filter(pk=follow_up_id).values_list("lead_id", "contact_id").first()
    if seen is None:
        raise Missing
    lead_id, contact_id = seen
    lead, contact = _subject(actor, lead_id=lead_id, contact_id=None if lead_id else contact_id)
    locked = FollowUp.objects.select_for_update(no_key=True, of=("self",)).select_related("owner")
    follow_up = locked.get(pk=follow_up_id)
    if lead:
        follow_up.lead = lead
    else:
        follow_up.contact = contact
    return follow_up


def _check_version(follow_up: FollowUp, version: int | None) -> None:
    if version is not None and version != follow_up.version:
        raise Stale(
            _("Somebody else changed this follow-up in the meantime. Look at it again."), version=follow_up.version
        )


def _check_owner(follow_up: FollowUp) -> None:
    """Refuse somebody who has gone, or who would not see what it is about."""
    owner = follow_up.owner
    if not owner.is_active:
        raise Invalid(_("This person no longer works here. Choose somebody else."), field="owner")
    sees = (
        Lead.objects.visible_to(owner).filter(pk=follow_up.lead.pk).exists()
        if follow_up.lead
        else Contact.objects.visible_to(owner).filter(pk=follow_up.contact_id or 0).exists()
    )
    if not sees:
        raise Invalid(_("%(name)s does not see this. Choose somebody else.") % {"name": owner.name}, field="owner")


def _apply(follow_up: FollowUp, values: dict[str, Any]) -> None:
    """Write what was typed, all of it checked; the owner is the caller's."""
    if "kind" in values:
        if values["kind"] not in FollowUp.Kind.values:
            raise Invalid(_("Choose what kind of step it is."), field="kind")
        follow_up.kind = values["kind"]
    if "title" in values:
        follow_up.title = " ".join(values["title"].split())
        if len(follow_up.title) > 200:
            raise Invalid(_("A title has at most 200 characters."), field="title")
    if "note" in values:
        follow_up.note = values["note"].strip()
        if len(follow_up.note) > 10_000:
            raise Invalid(_("A note has at most 10,000 characters."), field="note")
    if "day" in values:
        if not FIRST_DAY <= values["day"] <= LAST_DAY:
            raise Invalid(_("This day is too far away."), field="day")
        follow_up.due_at = due_instant(values["day"], values.get("at"))
        follow_up.has_time = values.get("at") is not None
    if "reminder" in values:
        if values["reminder"] is not None and not 0 <= values["reminder"] <= MOST_MINUTES:
            raise Invalid(_("A reminder comes at most four weeks before."), field="reminder")
        follow_up.reminder = values["reminder"]
    follow_up.remind_at = reminder_instant(
        due_at=follow_up.due_at, has_time=follow_up.has_time, minutes=follow_up.reminder
    )


def _owe_reminder(follow_up: FollowUp) -> None:
    """Owe the reminder, unless its instant has passed or it was sent."""
    at = follow_up.remind_at
    if at and follow_up.reminded_at is None and at > timezone.now():
        defer_until(remind_follow_up, at=at, follow_up_id=follow_up.pk, instant=stamp(at))


def _close(follow_up: FollowUp, actor: Member, *, verb: str, **values: Any) -> None:
    for field, value in values.items():
        setattr(follow_up, field, value)
    follow_up.version += 1
    follow_up.save(update_fields=[*values, "version"])
    _tell(follow_up, actor, verb=f"follow_up_{verb}", action=f"follow_up.{verb}")
    follow_up_closed.send(sender=FollowUp, follow_up=follow_up, actor=actor)


def _has_next(follow_up: FollowUp) -> bool:
    """Say whether nothing has to be asked for: something is planned, or the lead is not open any more."""
    if follow_up.lead:
        if follow_up.lead.outcome != Lead.Outcome.OPEN:
            return True
        return FollowUp.objects.open().filter(lead=follow_up.lead).exists()
    return FollowUp.objects.open().filter(contact=follow_up.contact).exists()


def _tell(
    follow_up: FollowUp,
    actor: Member,
    *,
    verb: str,
    action: str,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write the line of the timeline and of the trail, and tell the board of the lead."""
    lead = follow_up.lead
    facts = {
        "kind": follow_up.kind, "title": follow_up.title, "due_at": follow_up.due_at.isoformat(),
        "has_time": follow_up.has_time, "owner": follow_up.owner.name,
    }  # fmt: skip
    if before:
        facts["before"], facts["after"] = before, after
    log_activity(
        lead=lead, contact=None if lead else follow_up.contact, verb=verb, actor=actor, text=follow_up.note, **facts
    )
    audit.record(
        actor=actor, action=action, target=follow_up, before=before, after=after,
        lead=follow_up.lead_id, contact=follow_up.contact_id,
    )  # fmt: skip
    if lead:
        lead.version += 1
        lead.updated_at = timezone.now()
        lead.save(update_fields=["version", "updated_at"])
        announce_leads(pipeline_id=lead.stage.pipeline_id, leads=[lead], stage_ids=[lead.stage_id], actor=actor)


def _readable(follow_up: FollowUp) -> dict[str, Any]:
    """Say what a follow-up is, as the trail keeps it."""
    return {
        "kind": follow_up.kind,
        "title": follow_up.title,
        "note": follow_up.note,
        "due_at": follow_up.due_at.astimezone(ZoneInfo("UTC")).isoformat(),
        "has_time": follow_up.has_time,
        "owner": follow_up.owner.name,
        "reminder": follow_up.reminder,
    }
