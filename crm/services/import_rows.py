"""What the rows of an import will become: looked up in the database, nothing written yet."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from crm.identity import fold
from crm.models import Contact, Import, Lead, Pipeline, Stage, Tag
from crm.services.pipelines import default_pipeline
from crm.spreadsheet import Draft, Formats, Note, Row, RowError, Sheet, parse_row
from members.models import Member
from tenants.context import current_organization
from tenants.models import CURRENCIES

# A column of free text that is mapped to tags would otherwise fill every menu.
MOST_TAGS = 500
State = Literal["created", "skipped", "failed"]


@dataclass(slots=True)
class Planned:
    """What becomes of one row. `reason` is the same for all rows of its kind, `detail` is about this one."""

    row: Row
    draft: Draft
    stage: Stage
    state: State = "created"
    column: str = ""
    reason: str = ""
    detail: str = ""
    owner: Member | None = None
    contact: Contact | None = None
    notes: list[str] = field(default_factory=list)

    def refuse(self, state: State, reason: str, *, column: str = "", detail: str = "") -> None:
        self.state, self.reason, self.column, self.detail = state, reason, column, detail


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person chose for an import, as kept in its options."""

    formats: Formats
    stage_id: int | None
    is_matching_people: bool


def sheet_of(import_: Import) -> Sheet:
    """Rebuild what was found out about an import's file when it was uploaded."""
    options = import_.options
    notes = tuple(Note(code, values) for code, values in options["notes"])
    return Sheet(options["encoding"], options["delimiter"], tuple(options["header"]), import_.total, (), notes)


def choices_of(import_: Import) -> Choices:
    """Read an import's options."""
    options = import_.options
    return Choices(
        Formats(options["date_order"], options["decimal"]), options.get("stage"), options.get("match_people", True)
    )


def stage_of(import_: Import) -> Stage:
    """Return the stage for rows that name none; the first of the default pipeline if it has gone."""
    chosen = Stage.objects.select_related("pipeline").filter(pk=choices_of(import_).stage_id or 0).first()
    if chosen is not None:
        return chosen
    pipeline: Pipeline = default_pipeline()
    return pipeline.stages.select_related("pipeline").order_by("order")[0]


def plan_rows(import_: Import, rows: Iterable[Row]) -> list[Planned]:
    """Decide for each row whether it will be created, skipped or refused, and with what."""
    planned = read_rows(import_, rows)
    skip_duplicates(import_, planned)
    return planned


def read_rows(import_: Import, rows: Iterable[Row]) -> list[Planned]:
    """Read rows, refuse those that cannot be leads, and find stages and owners for the others."""
    organization = current_organization()
    zone = ZoneInfo(organization.timezone)
    formats, fallback = choices_of(import_).formats, stage_of(import_)
    today = timezone.now().astimezone(zone).date()
    planned = []
    for row in rows:
        found = parse_row(
            row,
            import_.mapping,
            today=today,
            timezone=zone,
            date_order=formats.date_order,
            decimal=formats.decimal,
        )
        if isinstance(found, RowError):
            refused = Planned(row, Draft(row.line), fallback)
            refused.refuse("failed", found.reason, column=found.column, detail=found.value)
            planned.append(refused)
            continue
        found.currency = found.currency or organization.currency
        planned.append(Planned(row, found, fallback))
    _resolve(import_, _accepted(planned), fallback)
    _refuse_many_tags(import_, _accepted(planned))
    return planned


def skip_duplicates(import_: Import, planned: list[Planned]) -> None:
    """Skip rows whose external id, e-mail or phone is known already, here or further up in the file.

    People who are known but have no lead yet are found too. The target columns should be locked.
    """
    rows = _accepted(planned)
    known = _Known(rows)
    for each in rows:
        duplicate = known.same_id(each.draft)
        if duplicate is None and choices_of(import_).is_matching_people:
            duplicate = known.same_email(each.draft) or known.same_phone(each.draft)
        if duplicate is not None:
            each.refuse("skipped", duplicate[0], detail=duplicate[1])
            continue
        each.contact = known.person(each.draft)
        known.add(each)


def _accepted(planned: Sequence[Planned]) -> list[Planned]:
    return [each for each in planned if each.state == "created"]


def _resolve(import_: Import, planned: list[Planned], fallback: Stage) -> None:
    """Find stages and owners by what the file calls them; keep the words of what is not found."""
    stages = {fold(stage.name): stage for stage in fallback.pipeline.stages.select_related("pipeline")}
    members = _Members()
    for each in planned:
        draft = each.draft
        if draft.currency not in dict(CURRENCIES):
            each.refuse(
                "failed",
                _("This currency is not in use here: choose from %(codes)s.")
                % {"codes": ", ".join(code for code, _sign in CURRENCIES)},
                column=_column(import_, "currency"),
                detail=draft.currency,
            )
            continue
        if draft.stage:
            each.stage = stages.get(fold(draft.stage), fallback)
            if fold(draft.stage) not in stages:
                each.notes.append("unknown_stage")
                draft.extra[_column(import_, "stage")] = draft.stage
        if draft.owner:
            each.owner = members.find(draft.owner)
            if each.owner is None:
                each.notes.append("unknown_owner")
                draft.extra[_column(import_, "owner_email")] = draft.owner


class _Members:
    """Active members by e-mail, or by a name that only one of them has."""

    def __init__(self) -> None:
        self.by_email: dict[str, Member] = {}
        self.by_name: dict[str, list[Member]] = defaultdict(list)
        for member in Member.objects.filter(is_active=True):
            self.by_email[member.email.lower()] = member
            self.by_name[fold(member.name)].append(member)

    def find(self, text: str) -> Member | None:
        if found := self.by_email.get(text.lower()):
            return found
        same_name = self.by_name.get(fold(text), [])
        return same_name[0] if len(same_name) == 1 else None


def _refuse_many_tags(import_: Import, planned: list[Planned]) -> None:
    if not any(each.draft.tags for each in planned):
        return
    known = {name.lower() for name in Tag.objects.values_list("name", flat=True)}
    for each in planned:
        wanted = {tag.lower() for tag in each.draft.tags}
        if len(known | wanted) <= MOST_TAGS:
            known |= wanted
        elif wanted - known:
            each.refuse(
                "failed",
                _("There would be more than %(limit)s tags. Is this column really one of tags?") % {"limit": MOST_TAGS},
                column=_column(import_, "tags"),
            )


class _Known:
    """What is in the database already, and in the rows above."""

    def __init__(self, planned: list[Planned]) -> None:
        drafts = [each.draft for each in planned]
        ids = {draft.external_id for draft in drafts if draft.external_id}
        emails = {draft.email for draft in drafts if draft.email}
        phones = {draft.phone_key for draft in drafts if draft.phone_key}
        self.leads = dict(Lead.objects.filter(external_id__in=ids).values_list("external_id", "title")) if ids else {}
        contacts = Contact.objects.filter(archived_at=None).order_by("-pk")
        self.by_email = {each.email: each for each in contacts.filter(email__in=emails)} if emails else {}
        self.by_phone: dict[str, list[Contact]] = defaultdict(list)
        for contact in contacts.filter(phone_key__in=phones) if phones else []:
            self.by_phone[contact.phone_key].append(contact)
        people = {each.pk for each in self.by_email.values()}
        people |= {each.pk for group in self.by_phone.values() for each in group}
        # What a revert has put away may be imported again.
        leads = Lead.objects.exclude(archived_at__isnull=False, import_row__is_reverted=True)
        self.titles = dict(leads.filter(contact__in=people).values_list("contact", "title")) if people else {}
        self.id_lines: dict[str, int] = {}
        self.email_lines: dict[str, int] = {}
        self.phone_lines: dict[str, list[tuple[int, str]]] = defaultdict(list)

    def add(self, planned: Planned) -> None:
        draft = planned.draft
        if draft.external_id:
            self.id_lines[draft.external_id] = draft.line
        if draft.email:
            self.email_lines[draft.email] = draft.line
        if draft.phone_key:
            self.phone_lines[draft.phone_key].append((draft.line, draft.email))

    def same_id(self, draft: Draft) -> tuple[str, str] | None:
        if draft.external_id in self.leads:
            return _("A lead with this id exists already."), self.leads[draft.external_id]
        if line := self.id_lines.get(draft.external_id):
            return _("This id appears earlier in the file."), _line(line)
        return None

    def same_email(self, draft: Draft) -> tuple[str, str] | None:
        contact = self.by_email.get(draft.email)
        if contact is not None and contact.pk in self.titles:
            return _("A lead with this e-mail exists already."), self.titles[contact.pk]
        if line := self.email_lines.get(draft.email):
            return _("This e-mail appears earlier in the file."), _line(line)
        return None

    def same_phone(self, draft: Draft) -> tuple[str, str] | None:
        for contact in self.by_phone.get(draft.phone_key, []):
            if contact.pk in self.titles and _may_be_same(draft, contact.email):
                return _("A lead with this phone exists already."), self.titles[contact.pk]
        for line, email in self.phone_lines.get(draft.phone_key, []):
            if _may_be_same(draft, email):
                return _("This phone appears earlier in the file."), _line(line)
        return None

    def person(self, draft: Draft) -> Contact | None:
        """Return the contact that this row is about, if there is one."""
        if draft.email in self.by_email:
            return self.by_email[draft.email]
        return next((each for each in self.by_phone.get(draft.phone_key, []) if _may_be_same(draft, each.email)), None)


def _may_be_same(draft: Draft, email: str) -> bool:
    """Say whether one phone means one person: a switchboard is shared by people with their own e-mails."""
    if draft.phone is not None and draft.phone.kind in {"mobile", "foreign"}:
        return True
    return not (draft.email and email) or draft.email == email


def _line(line: int) -> str:
    return _("line %(line)s") % {"line": line}


def _column(import_: Import, target: str) -> str:
    return next((column for column, chosen in import_.mapping.items() if chosen == target), "")
