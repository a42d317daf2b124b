"""Imports from upload to start: the file, what its columns mean, and a look before it is written."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import File
from django.db import transaction
from django.db.models import F, Value
from django.db.models.functions import Concat, Substr
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from core.errors import Invalid, Missing
from crm.models import Import, ImportRow, SavedMapping, Stage
from crm.services.import_rows import Planned, plan_rows, sheet_of
from crm.services.pipelines import default_pipeline
from crm.spreadsheet import TARGETS, Limits, SpreadsheetError, detect_formats, guess_mapping, inspect, rows
from crm.spreadsheet.mapping import REPEATABLE
from crm.tasks import revert_import, run_import
from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.context import current_schema
from tenants.jobs import defer

PROBED_ROWS = 2000
PREVIEW_ROWS = 20
TITLE_TARGETS = frozenset({"title", "name", "company", "email", "phone", "external_id"})
IN_PROGRESS = frozenset({
    Import.Status.QUEUED, Import.Status.RUNNING, Import.Status.REVERTING, Import.Status.RESTORING,
})  # fmt: skip
CAN_REVERT = frozenset({Import.Status.DONE, Import.Status.FAILED})
# What is remembered of how a file was read, beside the meaning of its columns.
REMEMBERED = ("date_order", "decimal", "stage", "match_people")


@dataclass(frozen=True, slots=True)
class Preview:
    """The first rows as they will become, and how many of them will be created, skipped and refused."""

    rows: list[Planned]
    counts: Counter[str]


def find_import(*, actor: Member, import_id: int) -> Import:
    """Return an import that the member may see, or raise `Forbidden` or `Missing`."""
    require(actor, "lead.import")
    found = Import.objects.select_related("created_by").filter(pk=import_id).first()
    if found is None:
        raise Missing
    return found


def create_import(*, actor: Member, file: File, name: str) -> Import:
    """Keep an uploaded file, find out how it is written, and guess what its columns mean.

    Raises `SpreadsheetError`, and keeps nothing, if it is not a table.
    """
    require(actor, "lead.import")
    if file.size > settings.IMPORT_MAX_BYTES:
        raise SpreadsheetError(
            _("The file is larger than %(limit)s MB.") % {"limit": settings.IMPORT_MAX_BYTES // 2**20}
        )
    import_ = Import(original_name=_clean_name(name), created_by=actor)
    import_.file.save("upload.csv", file, save=False)
    try:
        _describe(import_)
        with transaction.atomic():
            import_.save()
            audit.record(actor=actor, action="import.uploaded", target=import_, rows=import_.total)
    except Exception:
        import_.file.delete(save=False)
        raise
    return import_


def _describe(import_: Import) -> None:
    path = Path(import_.file.path)
    sheet = inspect(path, limits=Limits(max_bytes=settings.IMPORT_MAX_BYTES))
    import_.mapping = guess_mapping(sheet.header, sheet.sample)
    formats = detect_formats(islice(rows(path, sheet), PROBED_ROWS), import_.mapping)
    import_.total = sheet.row_count
    import_.options = {
        "encoding": sheet.encoding,
        "delimiter": sheet.delimiter,
        "header": list(sheet.header),
        "notes": [[note.code, dict(note.values)] for note in sheet.notes],
        "date_order": formats.date_order,
        "decimal": formats.decimal,
        "stage": default_pipeline().stages.order_by("order").values_list("pk", flat=True)[0],
        "match_people": True,
        "language": get_language(),
    }
    _recall(import_)


def _recall(import_: Import) -> None:
    """Read the file as the last one with this header was read; what was guessed stays at hand."""
    options = import_.options
    saved = SavedMapping.objects.filter(header_key=_header_key(options["header"])).first()
    if saved is None:
        return
    guess = {"mapping": import_.mapping} | {name: options[name] for name in REMEMBERED}
    remembered = {name: saved.options[name] for name in REMEMBERED}
    if not Stage.objects.filter(pk=remembered["stage"]).exists():
        remembered["stage"] = options["stage"]
    import_.mapping = {column: saved.mapping[column] for column in options["header"]}
    import_.options |= {**remembered, "guess": guess, "remembered_at": saved.updated_at.isoformat()}


def use_guess(*, actor: Member, import_id: int) -> Import:
    """Forget for one import what was remembered of its header, and read it as it was guessed."""
    with transaction.atomic():
        import_ = _locked(actor, import_id)
        _require_mapping_stage(import_)
        if guess := import_.options.pop("guess", None):
            import_.mapping = guess.pop("mapping")
            import_.options |= guess
            del import_.options["remembered_at"]
            import_.save(update_fields=["mapping", "options"])
        return import_


def _remember(import_: Import) -> None:
    options = {name: import_.options[name] for name in REMEMBERED}
    SavedMapping.objects.update_or_create(
        header_key=_header_key(import_.options["header"]),
        defaults={"mapping": import_.mapping, "options": options, "updated_at": timezone.now()},
    )


def _header_key(header: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(header)).encode()).hexdigest()


def set_mapping(
    *,
    actor: Member,
    import_id: int,
    mapping: Mapping[str, str],
    stage: Stage,
    date_order: str = "dmy",
    decimal: str = ",",
    is_matching_people: bool = True,
) -> Import:
    """Say what the columns of an import mean. Raises `Invalid`; refused once it has started."""
    with transaction.atomic():
        import_ = _locked(actor, import_id)
        _require_mapping_stage(import_)
        if set(mapping) != set(import_.options["header"]) or not set(mapping.values()) <= set(TARGETS):
            raise Invalid(_("Choose a meaning for each column."))
        if date_order not in {"dmy", "mdy"} or decimal not in {",", "."}:
            raise Invalid(_("Choose how dates and amounts are written."))
        check_mapping(mapping)
        import_.mapping = {column: mapping[column] for column in import_.options["header"]}
        import_.options |= {
            "stage": stage.pk,
            "date_order": date_order,
            "decimal": decimal,
            "match_people": is_matching_people,
        }
        import_.save(update_fields=["mapping", "options"])
        return import_


def check_mapping(mapping: Mapping[str, str]) -> None:
    """Raise `Invalid` if the columns cannot make leads together."""
    for target, count in Counter(mapping.values()).items():
        if target and target not in REPEATABLE and count > 1:
            raise Invalid(_("Only one column can be “%(target)s”.") % {"target": TARGETS[target]})
    if not TITLE_TARGETS & set(mapping.values()):
        raise Invalid(
            _("Choose at least one column that names the lead: title, contact, company, e-mail, phone or id.")
        )


def sample_rows(import_: Import, *, count: int = PREVIEW_ROWS) -> list[list[str]]:
    """Return the cells of the first rows."""
    found = rows(Path(import_.file.path), sheet_of(import_))
    return [list(row.cells.values()) for row in islice(found, count)]


def preview_import(import_: Import) -> Preview:
    """Show what the first rows will become, without writing anything."""
    planned = plan_rows(import_, islice(rows(Path(import_.file.path), sheet_of(import_)), PREVIEW_ROWS))
    return Preview(planned, Counter(each.state for each in planned))


def start_import(*, actor: Member, import_id: int, is_deferred: bool = True) -> Import:
    """Owe the run of an import to the workers; with a failed one, go on where it stopped.

    Doing it again while it waits or runs changes nothing. Without `is_deferred` the caller runs it.
    """
    with transaction.atomic():
        import_ = _locked(actor, import_id)
        if import_.status not in {Import.Status.MAPPING, Import.Status.FAILED}:
            return import_
        check_mapping(import_.mapping)
        _remember(import_)
        import_.options["language"] = get_language()
        import_.status, import_.error = Import.Status.QUEUED, ""
        import_.save(update_fields=["status", "error", "options"])
        audit.record(actor=actor, action="import.started", target=import_, rows=import_.total)
        if is_deferred:
            defer(run_import, import_id=import_.pk)
        return import_


@dataclass(frozen=True, slots=True)
class Extent:
    """How many leads of an import a revert would put away, and how many of those people have changed since."""

    leads: int
    changed: int

    @property
    def untouched(self) -> int:
        return self.leads - self.changed


def extent_of(import_: Import) -> Extent:
    """Count what a revert would find."""
    rows = ImportRow.objects.filter(run=import_, lead__archived_at=None)
    return Extent(rows.count(), rows.exclude(lead__version=F("version")).count())


@transaction.atomic
def start_revert(*, actor: Member, import_id: int, with_changed: bool = False) -> Import:
    """Owe the workers the revert of an import; doing it again while it waits or runs changes nothing.

    Leads that people have changed since stay, unless `with_changed`. Imports of before rows were kept cannot be
    reverted.
    """
    require(actor, "lead.archive")
    import_ = _locked(actor, import_id)
    if import_.status in {Import.Status.REVERTING, Import.Status.REVERTED}:
        return import_
    if import_.status not in CAN_REVERT:
        raise Invalid(_("This import is still running."))
    if not extent_of(import_).leads:
        raise Invalid(_("There is nothing to revert: no lead of this import is left."))
    _begin(import_, Import.Status.REVERTING, actor=actor, with_changed=with_changed, at=timezone.now().isoformat())
    audit.record(actor=actor, action="import.revert_started", target=import_, with_changed=with_changed)
    return import_


@transaction.atomic
def start_restore(*, actor: Member, import_id: int) -> Import:
    """Owe the workers to bring back what the revert of an import has put away."""
    require(actor, "lead.archive")
    import_ = _locked(actor, import_id)
    if import_.status in CAN_REVERT | {Import.Status.RESTORING}:
        return import_
    if import_.status != Import.Status.REVERTED:
        raise Invalid(_("This import is still running."))
    _begin(import_, Import.Status.RESTORING, actor=actor, at=import_.options["revert"]["at"])
    audit.record(actor=actor, action="import.restore_started", target=import_)
    return import_


def _begin(import_: Import, status: Import.Status, *, actor: Member, **more: Any) -> None:
    import_.status = status
    import_.options["revert"] = {"step": "leads", "after": 0, "seen": 0, "counts": {}, "actor": actor.pk, **more}
    import_.save(update_fields=["status", "options"])
    defer(revert_import, import_id=import_.pk)


def discard_import(*, actor: Member, import_id: int) -> None:
    """Delete an import with its files, unless it is at work. The leads that it made stay."""
    with transaction.atomic():
        import_ = _locked(actor, import_id)
        if import_.status in IN_PROGRESS:
            raise Invalid(_("This import is still running."))
        audit.record(actor=actor, action="import.discarded", target=import_)
        for file in (import_.file, import_.errors_file):
            if file:
                transaction.on_commit(partial(file.storage.delete, str(file.name)))
        import_.delete()


def move_files(*, old_schema: str) -> None:
    """Point the imports of a restored organization to where its uploads lie now."""
    here = current_schema()
    for field in ("file", "errors_file"):
        held = Import.objects.filter(**{f"{field}__startswith": f"{old_schema}/"})
        held.update(**{field: Concat(Value(here), Substr(field, len(old_schema) + 1))})


def _locked(actor: Member, import_id: int) -> Import:
    require(actor, "lead.import")
    found = Import.objects.select_for_update(no_key=True, of=("self",)).filter(pk=import_id).first()
    if found is None:
        raise Missing
    return found


def _require_mapping_stage(import_: Import) -> None:
    if import_.status != Import.Status.MAPPING:
        raise Invalid(_("This import has started already. Upload the file again to read it another way."))


def _clean_name(name: str) -> str:
    """Keep the last part of a file's name, without what cannot be seen."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:200] or "leads.csv"
