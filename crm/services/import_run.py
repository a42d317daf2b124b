"""The run of an import: rows become leads, 500 at a time, each time in one transaction."""

import csv
import io
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from core.errors import AppError
from crm.models import Activity, Company, Contact, Import, ImportRow, Lead, Stage, StageChange, Tag
from crm.services import columns
from crm.services.import_rows import Planned, read_rows, sheet_of, skip_duplicates, stage_of
from crm.services.news import announce_bulk
from crm.services.people import company_key
from crm.services.tags import color_of
from crm.signals import leads_imported
from crm.spreadsheet import Draft, Row, rows, safe_cell
from crm.spreadsheet.mapping import ERROR_TITLES
from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.context import current_organization

log = logging.getLogger(__name__)
CHUNK = 500
# Everything else is before the start, at the end, or with a revert.
CAN_RUN = frozenset({Import.Status.QUEUED, Import.Status.RUNNING, Import.Status.FAILED})
MOST_REASONS = 30


def run_import(import_id: int) -> None:
    """Bring an import to its end, from wherever it is; called by a worker, or by a command.

    Any number of runs may work on one import at once: each chunk locks its row and continues where
    the last one stopped. What cannot be done ends in status FAILED, from which it can go on.
    """
    import_ = Import.objects.select_related("created_by").filter(pk=import_id).first()
    if import_ is None or import_.status not in CAN_RUN:
        return
    with translation.override(import_.options.get("language")):
        try:
            require(import_.created_by, "lead.import")
            reader = _Reader(import_)
            while _run_chunk_patiently(import_id, reader):
                pass
        except AppError as error:
            _fail(import_id, str(error))
        except FileNotFoundError:
            _fail(import_id, _("The uploaded file is not there any more. Upload it again."))
        except Exception:
            _fail(import_id, _("Something went wrong on our side. What was imported stays; you can go on from there."))
            raise


class _Reader:
    """The rows of the file, by how many of them are dealt with already."""

    def __init__(self, import_: Import) -> None:
        self.path, self.sheet = Path(import_.file.path), sheet_of(import_)
        self.start = self.end = 0
        self.batch: list[Row] = []
        self.rows: Iterator[Row] = rows(self.path, self.sheet)

    def after(self, processed: int) -> list[Row]:
        """Return the next rows; the same ones again if the last attempt at them was rolled back."""
        if self.batch and processed == self.start:
            return self.batch
        if processed < self.end:
            self.rows, self.end = rows(self.path, self.sheet), 0
        skipped = sum(1 for _row in islice(self.rows, processed - self.end))
        self.start = self.end + skipped
        self.batch = list(islice(self.rows, CHUNK))
        self.end = self.start + len(self.batch)
        return self.batch


def _run_chunk_patiently(import_id: int, reader: _Reader) -> bool:
    """Run one chunk again if somebody created the same lead or company at the same moment."""
    for _attempt in range(3):
        try:
            return _run_chunk(import_id, reader)
        except IntegrityError as error:
            log.info("import %s repeats a chunk: %s", import_id, error)
    return _run_chunk(import_id, reader)


@transaction.atomic
def _run_chunk(import_id: int, reader: _Reader) -> bool:
    """Import the next rows and say whether there may be more. Locks the import, then the columns."""
    import_ = _lock(import_id)
    if import_.status not in CAN_RUN:
        return False
    batch = reader.after(import_.processed)
    if not batch:
        _finish(import_)
        return False
    planned = read_rows(import_, batch)
    columns.lock_columns(*{each.stage.pk for each in planned if each.state == "created"})
    # Only now: whoever held a column may have created the same lead.
    skip_duplicates(import_, planned)
    leads = _write(import_, [each for each in planned if each.state == "created"])
    _write_errors(import_, [each for each in planned if each.state != "created"])
    _count(import_, planned)
    _record(import_, planned, leads)
    return True


def _lock(import_id: int) -> Import:
    imports = Import.objects.select_for_update(no_key=True, of=("self",)).select_related("created_by")
    return imports.get(pk=import_id)


def _finish(import_: Import) -> None:
    import_.status, import_.finished_at, import_.error = Import.Status.DONE, timezone.now(), ""
    import_.save(update_fields=["status", "finished_at", "error"])
    with connection.cursor() as cursor:
        # Boards are asked at once: the planner must not believe that the columns are still empty.
        cursor.execute("ANALYZE crm_lead, crm_contact, crm_company")
    pipeline = stage_of(import_).pipeline
    announce_bulk(
        pipeline_id=pipeline.pk,
        stage_ids=pipeline.stages.values_list("pk", flat=True),
        actor=import_.created_by,
    )


def _fail(import_id: int, sentence: str) -> None:
    Import.objects.filter(pk=import_id, status__in=CAN_RUN).update(
        status=Import.Status.FAILED, error=sentence[:300], finished_at=timezone.now()
    )


def _write(import_: Import, planned: Sequence[Planned]) -> list[Lead]:
    """Create leads at the end of their columns, in the order of the file, with all that belongs to them."""
    now, actor = timezone.now(), import_.created_by
    companies, new_companies = _companies(planned)
    contacts, new_contacts = _contacts(planned, companies)
    keys = _keys(planned)
    leads = []
    for each, contact in zip(planned, contacts, strict=True):
        draft, is_won = each.draft, each.stage.kind == Stage.Kind.WON
        leads.append(
            Lead(
                title=draft.title,
                value=draft.value,
                currency=draft.currency,
                source=draft.source,
                owner=each.owner,
                contact=contact,
                company=companies.get(company_key(draft.company)),
                stage=each.stage,
                position=next(keys[each.stage.pk]),
                expected_close=draft.expected_close,
                external_id=draft.external_id,
                extra=draft.extra,
                outcome=Lead.Outcome.WON if is_won else Lead.Outcome.OPEN,
                closed_at=_closed_at(draft, now) if is_won else None,
                created_at=draft.created_at or now,
                created_by=actor,
                updated_at=now,
                stage_since=now,
            )
        )
    Lead.objects.bulk_create(leads)
    ImportRow.objects.bulk_create(
        ImportRow(
            lead=lead,
            run=import_,
            contact_id=lead.contact_id if lead.contact_id in new_contacts else None,
            company_id=lead.company_id if lead.company_id in new_companies else None,
        )
        for lead in leads
    )
    _write_tags(planned, leads)
    _write_trail(import_, planned, leads)
    return leads


def _closed_at(draft: Draft, now: datetime) -> datetime:
    """Return when a won lead was won: on its closing day if that has passed."""
    if draft.expected_close is None:
        return now
    day = datetime.combine(draft.expected_close, time(12), ZoneInfo(current_organization().timezone))
    return min(day, now)


def _keys(planned: Sequence[Planned]) -> dict[int, Iterator[str]]:
    stages = {each.stage.pk: each.stage for each in planned}
    counts = Counter(each.stage.pk for each in planned)
    return {pk: iter(columns.keys_at_end(stages[pk], count)) for pk, count in counts.items()}


def _companies(planned: Sequence[Planned]) -> tuple[dict[str, Company], set[int]]:
    """Find or create the companies of some rows; return them by key, and which are new."""
    names = {company_key(each.draft.company): each.draft.company for each in planned if each.draft.company}
    names.pop("", None)
    found = {company.name_key: company for company in Company.objects.filter(name_key__in=names)}
    # Whoever names an archived company needs it again: its name can exist only once.
    Company.objects.filter(pk__in=[each.pk for each in found.values() if each.archived_at]).update(archived_at=None)
    missing = [Company(name=name, name_key=key) for key, name in names.items() if key not in found]
    # A name that somebody else creates now ends in IntegrityError, and the chunk is run again.
    created = Company.objects.bulk_create(missing)
    return found | {company.name_key: company for company in created}, {company.pk for company in created}


def _contacts(planned: Sequence[Planned], companies: dict[str, Company]) -> tuple[list[Contact | None], set[int]]:
    """Find or create the person of each row, and say who is new. Blanks of a person who is known are filled."""
    people: list[Contact | None] = []
    fresh: dict[tuple[str, str], Contact] = {}
    known: dict[int, Contact] = {}
    for each in planned:
        draft = each.draft
        values = {"name": draft.name, "email": draft.email, "phone": draft.phone_text, "phone_key": draft.phone_key}
        company = companies.get(company_key(draft.company))
        if not any(values.values()):
            people.append(None)
        elif each.contact is not None:
            contact = known.setdefault(each.contact.pk, each.contact)
            for name, value in values.items():
                setattr(contact, name, getattr(contact, name) or value)
            contact.company = contact.company or company
            people.append(contact)
        else:
            # Without the check for known people, two rows may be about one new person.
            key = ("email", draft.email) if draft.email else ("line", str(draft.line))
            people.append(fresh.setdefault(key, Contact(**values, company=company)))
    Contact.objects.bulk_create(fresh.values())
    Contact.objects.bulk_update(known.values(), ["name", "email", "phone", "phone_key", "company"])
    return people, {contact.pk for contact in fresh.values()}


def _write_tags(planned: Sequence[Planned], leads: Sequence[Lead]) -> None:
    wanted = {tag.lower(): tag for each in planned for tag in reversed(each.draft.tags)}
    if not wanted:
        return
    known = {tag.name.lower() for tag in Tag.objects.all()}
    # PostgreSQL and Python disagree about the case of a few letters: such a tag is another's double.
    missing = [Tag(name=tag, color=color_of(tag)) for low, tag in wanted.items() if low not in known]
    Tag.objects.bulk_create(missing, ignore_conflicts=True)
    ids = {tag.name.lower(): tag.pk for tag in Tag.objects.all()}
    through = Lead.tags.through
    through.objects.bulk_create(
        through(lead_id=lead.pk, tag_id=ids[low])
        for each, lead in zip(planned, leads, strict=True)
        for low in dict.fromkeys(tag.lower() for tag in each.draft.tags)
        if low in ids
    )


def _write_trail(import_: Import, planned: Sequence[Planned], leads: Sequence[Lead]) -> None:
    now, actor = timezone.now(), import_.created_by
    StageChange.objects.bulk_create(
        StageChange(lead=lead, to_stage=lead.stage, to_name=lead.stage.name, actor=actor, at=now) for lead in leads
    )
    activities = []
    for each, lead in zip(planned, leads, strict=True):
        facts = {"import": import_.pk, "file": import_.original_name, "line": each.draft.line}
        activities.append(Activity(lead=lead, verb="imported", actor=actor, facts=facts, at=now))
        if each.draft.note:
            activities.append(Activity(lead=lead, verb="note", actor=actor, text=each.draft.note, at=now))
    Activity.objects.bulk_create(activities)


def _count(import_: Import, planned: Sequence[Planned]) -> None:
    counts = Counter(each.state for each in planned)
    import_.created += counts["created"]
    import_.skipped += counts["skipped"]
    import_.failed += counts["failed"]
    import_.processed += len(planned)
    import_.started_at = import_.started_at or timezone.now()
    import_.status, import_.error, import_.finished_at = Import.Status.RUNNING, "", None
    options = import_.options
    notes = Counter(options.get("warnings", {}))
    notes.update(note for each in planned if each.state == "created" for note in each.notes)
    options["warnings"] = dict(notes)
    reasons = Counter({tuple(key): count for *key, count in options.get("reasons", [])})
    reasons.update((each.state, each.column, each.reason) for each in planned if each.state != "created")
    options["reasons"] = [[*key, count] for key, count in reasons.most_common(MOST_REASONS)]
    import_.save()


def _record(import_: Import, planned: Sequence[Planned], leads: Sequence[Lead]) -> None:
    actor: Member = import_.created_by
    audit.record(
        actor=actor,
        action="lead.imported",
        target=import_,
        lines=[planned[0].row.line, planned[-1].row.line],
        leads=[lead.pk for lead in leads],
        skipped=sum(each.state == "skipped" for each in planned),
        failed=sum(each.state == "failed" for each in planned),
    )
    if leads:
        leads_imported.send(sender=Lead, leads=leads, actor=actor)


def _write_errors(import_: Import, refused: Sequence[Planned]) -> None:
    """Append rows to the file of errors.

    The file is not part of the transaction: its length is. What a rolled-back attempt left behind it
    is cut off first.
    """
    if not refused:
        return
    options, sheet = import_.options, sheet_of(import_)
    if not import_.errors_file:
        import_.errors_file.save("errors.csv", ContentFile(b""), save=False)
        titles = [*map(str, ERROR_TITLES), *sheet.header]
        head = "\ufeff".encode() + _as_csv([titles], sheet.delimiter)
    else:
        head = b""
    states = {"skipped": _("skipped"), "failed": _("failed")}
    lines = (
        [each.row.line, states[each.state], each.column, each.reason, each.detail, *each.row.cells.values()]
        for each in refused
    )
    with Path(import_.errors_file.path).open("r+b") as file:
        file.truncate(options.get("errors_size", 0))
        file.seek(0, os.SEEK_END)
        file.write(head + _as_csv(lines, sheet.delimiter))
        options["errors_size"] = file.tell()


def _as_csv(lines: Iterable[Sequence[Any]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([safe_cell(cell) for cell in line] for line in lines)
    return text.getvalue().encode(errors="replace")
