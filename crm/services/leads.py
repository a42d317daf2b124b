"""What happens to a lead: created, moved, changed, closed, archived. Every rule is here."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing, Stale
from crm.models import Company, Contact, Lead, Stage, StageChange, Tag
from crm.services import columns
from crm.services.news import announce_leads
from crm.services.people import find_or_create_company, find_or_create_contact, update_contact
from crm.services.timeline import log_activity
from crm.signals import lead_archived, lead_changed, lead_closed, lead_created, lead_moved
from crm.tasks import rebalance_column
from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.jobs import defer

MAX_VALUE = Decimal("999999999999.99")
MAX_TAGS = 20


class ColumnsChanged(Exception):
    """The lead left its column while we waited for the lock."""


@transaction.atomic
def create_lead(
    *,
    actor: Member,
    stage: Stage,
    title: str,
    value: Decimal | None = None,
    currency: str = "BRL",
    source: str = "",
    owner: Member | None = None,
    contact_name: str = "",
    email: str = "",
    phone: str = "",
    company_name: str = "",
    expected_close: date | None = None,
    external_id: str = "",
    tags: Iterable[Tag] = (),
) -> Lead:
    """Create a lead at the top of a column.

    Locks the column. Raises `Forbidden`, and `Invalid` for an external id that exists.
    """
    require(actor, "lead.create")
    _check_value(value)
    stage = columns.lock_columns(stage.pk)[stage.pk]
    company = find_or_create_company(name=company_name)
    now = timezone.now()
    lead = Lead(
        title=_clean_title(title),
        value=value,
        currency=currency,
        source=source.strip()[:80],
        owner=owner,
        contact=find_or_create_contact(name=contact_name, email=email, phone=phone, company=company),
        company=company,
        stage=stage,
        position=columns.key_at_top(stage),
        expected_close=expected_close,
        external_id=external_id.strip()[:120],
        created_by=actor,
        stage_since=now,
    )
    _set_outcome(lead, stage)
    try:
        with transaction.atomic():
            lead.save()
    except IntegrityError as error:
        if "lead_external_id_once" in str(error):
            raise Invalid(_("There is a lead with this external id.")) from error
        raise
    lead.tags.set(tags)
    StageChange.objects.create(lead=lead, to_stage=stage, to_name=stage.name, actor=actor, at=now)
    log_activity(lead=lead, verb="created", actor=actor)
    audit.record(actor=actor, action="lead.created", target=lead, after={"title": lead.title}, stage=stage.pk)
    lead_created.send(sender=Lead, lead=lead, actor=actor)
    announce_leads(pipeline_id=stage.pipeline_id, leads=[lead], stage_ids=[stage.pk], actor=actor)
    return lead


def move_lead(
    *,
    actor: Member,
    lead_id: int,
    stage_id: int,
    after_id: int | None = None,
    version: int | None = None,
    is_undo: bool = False,
) -> Lead:
    """Put a lead into a column, right below another card or at its top.

    Locks both columns, then the lead. Raises `Missing`, `Forbidden`, `Invalid` for a stage of another
    pipeline, and `Stale` if `version` is not the lead's any more.
    """
    for _attempt in range(3):
        try:
            return _move(
                actor=actor, lead_id=lead_id, stage_id=stage_id, after_id=after_id, version=version, is_undo=is_undo
            )
        except ColumnsChanged:
            continue
    raise Stale


@transaction.atomic
def _move(
    *, actor: Member, lead_id: int, stage_id: int, after_id: int | None, version: int | None, is_undo: bool
) -> Lead:
    seen = Lead.objects.visible_to(actor).current().filter(pk=lead_id).values_list("stage_id", flat=True).first()
    if seen is None:
        raise Missing
    stages = columns.lock_columns(seen, stage_id)
    lead = _locked(actor, lead_id)
    if lead.stage_id != seen:
        raise ColumnsChanged
    source, target = stages[seen], stages.get(stage_id)
    require(actor, "lead.move", lead)
    if target is None or target.pipeline_id != source.pipeline_id:
        raise Invalid(_("This stage is not part of the pipeline."))
    _check_version(lead, version)
    lead.position = columns.key_after(target, after_id=after_id, moving_id=lead.pk)
    fields = ["position", "version", "updated_at"]
    lead.version += 1
    lead.updated_at = now = timezone.now()
    if source != target:
        lead.stage, lead.stage_since = target, now
        fields += ["stage", "stage_since", *_set_outcome(lead, target)]
    lead.save(update_fields=fields)
    if source != target:
        StageChange.objects.create(
            lead=lead, from_stage=source, to_stage=target, from_name=source.name, to_name=target.name,
            actor=actor, is_undo=is_undo, at=now,
        )  # fmt: skip
    audit.record(actor=actor, action="lead.moved", target=lead, from_stage=source.pk, to_stage=target.pk, undo=is_undo)
    lead_moved.send(sender=Lead, lead=lead, actor=actor, from_stage=source, to_stage=target)
    if columns.is_worn(lead.position):
        defer(rebalance_column, stage_id=target.pk)
    announce_leads(
        pipeline_id=target.pipeline_id, leads=[lead], stage_ids=[source.pk, target.pk], actor=actor
    )
    return lead


@transaction.atomic
def change_lead(*, actor: Member, lead_id: int, version: int | None = None, **values: Any) -> Lead:
    """Change facts of a lead.

    Keys: title, value, currency, source, owner, expected_close, tags, company_name, and the contact's
    contact_name, email, phone. Locks the lead. Raises `Missing`, `Forbidden`, `Stale`, `Invalid`.
    """
    lead = _locked(actor, lead_id)
    require(actor, "lead.edit", lead)
    if "owner" in values:
        require(actor, "lead.assign", lead)
    _check_version(lead, version)
    before = {key: _readable(_current(lead, key)) for key in values}
    changed = {key for key, value in values.items() if _readable(_current(lead, key)) != _readable(value)}
    for key in changed:
        _apply(lead, key, values[key])
    if not changed:
        return lead
    lead.version += 1
    lead.updated_at = timezone.now()
    lead.save()
    after = {key: _readable(_current(lead, key)) for key in changed}
    before = {key: before[key] for key in changed}
    log_activity(lead=lead, verb="changed", actor=actor, before=before, after=after)
    audit.record(
        actor=actor, action="lead.changed", target=lead, before=before, after=after, fields=sorted(changed)
    )
    lead_changed.send(sender=Lead, lead=lead, actor=actor, fields=changed)
    _announce(lead, actor)
    return lead


@transaction.atomic
def lose_lead(*, actor: Member, lead_id: int, reason: str, version: int | None = None) -> Lead:
    """Close a lead as lost, for a reason. It leaves the board and stays in its stage."""
    lead = _locked(actor, lead_id)
    require(actor, "lead.edit", lead)
    _check_version(lead, version)
    reason = reason.strip()[:200]
    if not reason:
        raise Invalid(_("Say why it was lost."))
    lead.outcome, lead.closed_at, lead.loss_reason = Lead.Outcome.LOST, timezone.now(), reason
    _save_outcome(lead)
    log_activity(lead=lead, verb="lost", actor=actor, text=reason)
    audit.record(actor=actor, action="lead.lost", target=lead, after={"reason": reason})
    lead_closed.send(sender=Lead, lead=lead, actor=actor)
    _announce(lead, actor)
    return lead


@transaction.atomic
def reopen_lead(*, actor: Member, lead_id: int, version: int | None = None) -> Lead:
    """Take a lost lead back to the stage it was lost in."""
    lead = _locked(actor, lead_id)
    require(actor, "lead.edit", lead)
    _check_version(lead, version)
    if lead.outcome != Lead.Outcome.LOST:
        raise Invalid(_("Only a lost lead can be reopened."))
    _set_outcome(lead, lead.stage)
    _save_outcome(lead)
    log_activity(lead=lead, verb="reopened", actor=actor)
    audit.record(actor=actor, action="lead.reopened", target=lead)
    lead_closed.send(sender=Lead, lead=lead, actor=actor)
    _announce(lead, actor)
    return lead


@transaction.atomic
def archive_lead(*, actor: Member, lead_id: int, version: int | None = None) -> Lead:
    """Put a lead away. It keeps its place in the column for when it comes back."""
    return _archive(actor=actor, lead_id=lead_id, version=version, archived=True)


@transaction.atomic
def restore_lead(*, actor: Member, lead_id: int, version: int | None = None) -> Lead:
    """Bring an archived lead back to where it was."""
    return _archive(actor=actor, lead_id=lead_id, version=version, archived=False)


@transaction.atomic
def add_note(*, actor: Member, lead_id: int, text: str) -> Lead:
    """Write a note on a lead."""
    lead = _locked(actor, lead_id)
    require(actor, "lead.edit", lead)
    text = text.strip()
    if not text:
        raise Invalid(_("Write something first."))
    if len(text) > 10_000:
        raise Invalid(_("A note has at most 10,000 characters."))
    log_activity(lead=lead, verb="note", actor=actor, text=text)
    lead.version += 1
    lead.updated_at = timezone.now()
    lead.save(update_fields=["version", "updated_at"])
    audit.record(actor=actor, action="lead.noted", target=lead)
    lead_changed.send(sender=Lead, lead=lead, actor=actor, fields={"note"})
    _announce(lead, actor)
    return lead


def _archive(*, actor: Member, lead_id: int, version: int | None, archived: bool) -> Lead:
    lead = _locked(actor, lead_id)
    require(actor, "lead.archive", lead)
    _check_version(lead, version)
    if bool(lead.archived_at) == archived:
        return lead
    lead.archived_at = timezone.now() if archived else None
    lead.version += 1
    lead.updated_at = timezone.now()
    lead.save(update_fields=["archived_at", "version", "updated_at"])
    verb = "archived" if archived else "restored"
    log_activity(lead=lead, verb=verb, actor=actor)
    audit.record(actor=actor, action=f"lead.{verb}", target=lead)
    lead_archived.send(sender=Lead, lead=lead, actor=actor)
    _announce(lead, actor)
    return lead


def _locked(actor: Member, lead_id: int) -> Lead:
    """Lock a lead that the member may see, or raise `Missing`."""
    lead = (
        Lead.objects.visible_to(actor)
        .select_related("owner", "stage", "contact", "company")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=lead_id)
        .first()
    )
    if lead is None:
        raise Missing
    return lead


def _check_version(lead: Lead, version: int | None) -> None:
    if version is None or version == lead.version:
        return
    move = lead.stage_changes.select_related("actor").order_by("-at", "-id").first()
    if move and move.actor and move.from_name and move.at == lead.updated_at:
        raise Stale(
            _t("%(name)s moved this lead to %(stage)s in the meantime.") % {"name": move.actor.name, "stage": move.to_name},
            version=lead.version,
        )
    raise Stale(_("Somebody else changed this lead in the meantime. Look at it again."), version=lead.version)


def _check_value(value: Decimal | None) -> None:
    if value is not None and not Decimal(0) <= value <= MAX_VALUE:
        raise Invalid(_("The value must be between 0 and 999,999,999,999.99."))


def _clean_title(title: str) -> str:
    title = " ".join(title.split())
    if not title:
        raise Invalid(_("Give the lead a title."))
    if len(title) > 200:
        raise Invalid(_("A title has at most 200 characters."))
    return title


def _set_outcome(lead: Lead, stage: Stage) -> list[str]:
    """Let a stage decide the outcome, and return the fields that this touched."""
    if stage.kind == Stage.Kind.WON:
        lead.outcome, lead.closed_at = Lead.Outcome.WON, lead.closed_at or timezone.now()
    else:
        lead.outcome, lead.closed_at = Lead.Outcome.OPEN, None
    lead.loss_reason = ""
    return ["outcome", "closed_at", "loss_reason"]


def _save_outcome(lead: Lead) -> None:
    lead.version += 1
    lead.updated_at = timezone.now()
    lead.save(update_fields=["outcome", "closed_at", "loss_reason", "version", "updated_at"])


def _apply(lead: Lead, key: str, value: Any) -> None:
    if key == "title":
        lead.title = _clean_title(value)
    elif key == "value":
        _check_value(value)
        lead.value = value
    elif key == "tags":
        if len(value) > MAX_TAGS:
            raise Invalid(_("A lead has at most 20 tags."))
        lead.tags.set(value)
    elif key == "company_name":
        lead.company = find_or_create_company(name=value)
    elif key in {"contact_name", "email", "phone"}:
        lead.contact = update_contact(contact=lead.contact, company=lead.company, **{key.removeprefix("contact_"): value})
    elif key in {"currency", "source", "owner", "expected_close"}:
        setattr(lead, key, value.strip()[:80] if key == "source" else value)
    else:
        raise KeyError(key)


def _current(lead: Lead, key: str) -> Any:
    if key == "tags":
        return list(lead.tags.all())
    if key == "company_name":
        return lead.company.name if lead.company else ""
    if key in {"contact_name", "email", "phone"}:
        return getattr(lead.contact, key.removeprefix("contact_")) if lead.contact else ""
    return getattr(lead, key)


def _readable(value: Any) -> Any:
    """Write a value as the timeline and the trail keep it."""
    if isinstance(value, Member | Company | Contact):
        return str(value)
    if isinstance(value, list | tuple):
        return sorted(str(item) for item in value)
    return value


def _announce(lead: Lead, actor: Member) -> None:
    announce_leads(pipeline_id=lead.stage.pipeline_id, leads=[lead], stage_ids=[lead.stage_id], actor=actor)
