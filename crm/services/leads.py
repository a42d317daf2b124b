"""What happens to a lead: created, moved, changed, closed, archived. Every rule is here."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing, Stale
from crm.models import Company, Contact, Lead, Stage, StageChange, Tag
from crm.services import columns
from crm.services.news import announce_leads
from crm.services.people import find_or_create_company, find_or_create_contact, update_contact
from crm.services.tags import find_or_create_tags
from crm.services.timeline import log_activity
from crm.signals import lead_archived, lead_changed, lead_closed, lead_created, lead_moved
from crm.tasks import rebalance_column
from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.jobs import defer
from tenants.models import CURRENCIES

MAX_VALUE = Decimal("999999999999.99")
CONTACT_KEYS = frozenset({"contact_name", "email", "phone"})
# How a key of a change is named on the row; the contact's keys and the tags are not on it.
COLUMNS = {"company_name": "company"}


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
    tags: Iterable[Tag | str] = (),
) -> Lead:
    """Create a lead at the top of a column.

    Tags that do not exist yet are made. Locks the column. Raises `Forbidden`, `Missing` for a stage
    that has gone, and `Invalid` for a value that breaks a rule or an external id that exists.
    """
    require(actor, "lead.create")
    _check_value(value)
    _check_currency(currency)
    _check_owner(owner)
    locked = columns.lock_columns(stage.pk).get(stage.pk)
    if locked is None:
        raise Missing
    stage = locked
    company = find_or_create_company(name=company_name)
    now = timezone.now()
    lead = Lead(
        title=_clean_title(title),
        value=value,
        currency=currency,
        source=" ".join(source.split())[:80],
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
            raise Invalid(_("There is already a lead with this external id."), field="external_id") from error
        raise
    lead.tags.set(find_or_create_tags(tags))
    StageChange.objects.create(lead=lead, to_stage=stage, to_name=stage.name, actor=actor, at=now)
    log_activity(lead=lead, verb="created", actor=actor)
    audit.record(actor=actor, action="lead.created", target=lead, after=_first_values(lead), stage=stage.pk)
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
    """Put a lead into a column, right below another card or at its top; `came_from` says where it was.

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
    stages = columns.lock_columns(stage_id, of_lead=lead_id)
    lead = _locked(actor, lead_id, above_id=columns.LEAD_ABOVE)
    if lead.archived_at:
        raise Missing
    if lead.stage_id not in stages:
        raise ColumnsChanged
    source, target = stages[lead.stage_id], stages.get(stage_id)
    require(actor, "lead.move", lead)
    if target is None or target.pipeline_id != source.pipeline_id:
        raise Invalid(_("This stage is not part of the pipeline."))
    if lead.outcome == Lead.Outcome.LOST:
        raise Invalid(_("This lead is lost. Reopen it first."))
    _check_version(lead, version)
    outcome = lead.outcome
    lead.position = columns.key_after(target, after_id=after_id, moving_id=lead.pk)
    fields = ["position", "version", "updated_at"]
    lead.version += 1
    lead.updated_at = now = timezone.now()
    lead.came_from = (source, lead.above_id)  # type: ignore[attr-defined]
    lead.stage = target
    if source != target:
        lead.stage_since = _came_to(lead, target) if is_undo else now
        fields += ["stage", "stage_since", *_set_outcome(lead, target)]
    lead.save(update_fields=fields)
    if source != target:
        StageChange.objects.create(
            lead=lead, from_stage=source, to_stage=target, from_name=source.name, to_name=target.name,
            actor=actor, is_undo=is_undo, at=now,
        )  # fmt: skip
    audit.record(actor=actor, action="lead.moved", target=lead, from_stage=source.pk, to_stage=target.pk, undo=is_undo)
    lead_moved.send(sender=Lead, lead=lead, actor=actor, from_stage=source, to_stage=target)
    if lead.outcome != outcome:
        lead_closed.send(sender=Lead, lead=lead, actor=actor)
    if columns.is_worn(lead.position):
        defer(rebalance_column, stage_id=target.pk)
    announce_leads(pipeline_id=target.pipeline_id, leads=[lead], stage_ids=[source.pk, target.pk], actor=actor)
    return lead


@transaction.atomic
def change_lead(*, actor: Member, lead_id: int, version: int | None = None, **values: Any) -> Lead:
    """Change facts of a lead.

    Keys: title, value, currency, source, owner, expected_close, tags (or their names), company_name,
    and the contact's contact_name, email, phone. Locks the lead, and with the contact's keys the other
    leads of that contact. Raises `Missing`, `Forbidden`, `Stale`, `Invalid`.
    """
    if values.keys() & CONTACT_KEYS:
        _lock_leads_of_contact(lead_id)
    lead = _locked(actor, lead_id)
    require(actor, "lead.edit", lead)
    if "owner" in values:
        require(actor, "lead.assign", lead)
    _refuse_archived(lead)
    _check_version(lead, version)
    contact = lead.contact
    before = {key: _current(lead, key) for key in values}
    for key, value in values.items():
        _apply(lead, key, value)
    after = {key: _current(lead, key) for key in values}
    changed = {key for key in values if before[key] != after[key]}
    if not changed:
        return lead
    lead.version += 1
    lead.updated_at = timezone.now()
    own = {COLUMNS.get(key, key) for key in changed - CONTACT_KEYS - {"tags"}}
    lead.save(update_fields=[*own, "contact", "version", "updated_at"])
    before, after = ({key: _readable(side[key]) for key in sorted(changed)} for side in (before, after))
    log_activity(lead=lead, verb="changed", actor=actor, before=before, after=after)
    audit.record(actor=actor, action="lead.changed", target=lead, before=before, after=after, fields=sorted(changed))
    lead_changed.send(sender=Lead, lead=lead, actor=actor, fields=changed)
    _announce(lead, actor)
    if changed & CONTACT_KEYS and contact is not None and contact == lead.contact:
        _announce_other_leads(contact, but=lead, actor=actor)
    return lead


@transaction.atomic
def lose_lead(*, actor: Member, lead_id: int, reason: str, version: int | None = None) -> Lead:
    """Close a lead as lost, for a reason. It leaves the board and stays in its stage."""
    lead = _locked(actor, lead_id)
    require(actor, "lead.edit", lead)
    _refuse_archived(lead)
    _check_version(lead, version)
    if lead.outcome == Lead.Outcome.LOST:
        raise Invalid(_("This lead is lost already."))
    reason = " ".join(reason.split())
    if not reason:
        raise Invalid(_("Say why it was lost."))
    if len(reason) > 200:
        raise Invalid(_("A reason has at most 200 characters."))
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
    _refuse_archived(lead)
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
    _refuse_archived(lead)
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


def _locked(actor: Member, lead_id: int, **also: Any) -> Lead:
    """Lock a lead that the member may see, or raise `Missing`."""
    lead = (
        Lead.objects.visible_to(actor)
        .annotate(**also)
        .select_related("owner", "stage", "contact", "company")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=lead_id)
        .first()
    )
    if lead is None:
        raise Missing
    return lead


def _lock_leads_of_contact(lead_id: int) -> None:
    """Lock the leads that share a lead's contact, in a fixed order, so that two changes cannot block each other."""
    contact = Lead.objects.filter(pk=lead_id, contact__isnull=False).values("contact")
    rows = Lead.objects.select_for_update(no_key=True).filter(Q(pk=lead_id) | Q(contact__in=contact))
    list(rows.order_by("pk").values_list("pk"))


def _announce_other_leads(contact: Contact, *, but: Lead, actor: Member) -> None:
    """A contact is shared: tell the boards of its other leads, which show another name now."""
    others = Lead.objects.filter(contact=contact).exclude(pk=but.pk)
    others.update(version=F("version") + 1, updated_at=but.updated_at)
    for lead in others.current().select_related("stage"):
        _announce(lead, actor)


def _refuse_archived(lead: Lead) -> None:
    if lead.archived_at:
        raise Invalid(_("This lead is archived. Restore it first."))


def _check_version(lead: Lead, version: int | None) -> None:
    if version is None or version == lead.version:
        return
    move = lead.stage_changes.select_related("actor").order_by("-at", "-id").first()
    if move and move.actor and move.from_name and move.at == lead.updated_at:
        raise Stale(
            _t("%(name)s moved this lead to %(stage)s in the meantime.")
            % {"name": move.actor.name, "stage": move.to_name},
            version=lead.version,
        )
    raise Stale(_("Somebody else changed this lead in the meantime. Look at it again."), version=lead.version)


def _check_value(value: Decimal | None) -> None:
    if value is not None and not Decimal(0) <= value <= MAX_VALUE:
        raise Invalid(_("The value must be between 0 and 999,999,999,999.99."))


def _check_currency(currency: str) -> None:
    if currency not in dict(CURRENCIES):
        raise Invalid(_("Choose a currency."))


def _check_owner(owner: Member | None) -> None:
    if owner is not None and not owner.is_active:
        raise Invalid(_("This person no longer works here. Choose somebody else."))


def _clean_title(title: str) -> str:
    title = " ".join(title.split())
    if not title:
        raise Invalid(_("Give the lead a title."))
    if len(title) > 200:
        raise Invalid(_("A title has at most 200 characters."))
    return title


def _came_to(lead: Lead, stage: Stage) -> datetime:
    """Return since when the lead was in a stage that a move is undone to: as if it had not left."""
    came = lead.stage_changes.filter(to_stage=stage).order_by("-pk").values_list("at", flat=True).first()
    return came or lead.created_at


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
    elif key == "currency":
        _check_currency(value)
        lead.currency = value
    elif key == "owner":
        if value != lead.owner:
            _check_owner(value)
        lead.owner = value
    elif key == "source":
        lead.source = " ".join(value.split())[:80]
    elif key == "expected_close":
        lead.expected_close = value
    elif key == "tags":
        lead.tags.set(find_or_create_tags(value))
    elif key == "company_name":
        lead.company = find_or_create_company(name=value)
    elif key in CONTACT_KEYS:
        typed = {key.removeprefix("contact_"): value}
        lead.contact = update_contact(contact=lead.contact, company=lead.company, **typed)
    else:
        raise KeyError(key)


def _current(lead: Lead, key: str) -> Any:
    if key == "tags":
        return sorted(lead.tags.all(), key=lambda tag: tag.name.lower())
    if key == "company_name":
        return lead.company.name if lead.company else ""
    if key in CONTACT_KEYS:
        return getattr(lead.contact, key.removeprefix("contact_")) if lead.contact else ""
    return getattr(lead, key)


def _readable(value: Any) -> Any:
    """Write a value as the timeline and the trail keep it."""
    if isinstance(value, Member | Company | Contact):
        return str(value)
    if isinstance(value, list):
        return [str(item) for item in value]
    if isinstance(value, Decimal):
        return f"{value:.2f}"
    if isinstance(value, date):
        return value.isoformat()
    return value


def _first_values(lead: Lead) -> dict[str, Any]:
    """Say what a lead began with, blanks left out."""
    keys = ["title", "value", "source", "owner", "company_name", *sorted(CONTACT_KEYS), "expected_close"]
    values = {key: _readable(_current(lead, key)) for key in keys}
    return {key: value for key, value in values.items() if value not in (None, "")}


def _announce(lead: Lead, actor: Member) -> None:
    announce_leads(pipeline_id=lead.stage.pipeline_id, leads=[lead], stage_ids=[lead.stage_id], actor=actor)
