"""Pages of imports: upload, columns and preview, progress, what came of it."""

from datetime import datetime
from pathlib import Path
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse
from django.shortcuts import redirect, render
from django.utils import formats, timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Invalid, Missing
from core.htmx import toast
from core.templatetags.ui import count, money
from crm.identity import display_phone
from crm.import_forms import ImportColumnsForm, ImportUploadForm
from crm.models import Import
from crm.services import imports as service
from crm.services.import_rows import Planned, sheet_of
from crm.spreadsheet import TARGETS, SpreadsheetError
from members.http import MemberRequest
from members.permissions import require

PER_PAGE = 50
SAMPLES = 3
# What the list can be narrowed to.
STATES = {
    "waiting": [Import.Status.MAPPING],
    "running": list(service.IN_PROGRESS),
    "finished": [Import.Status.DONE],
    "stopped": [Import.Status.FAILED],
    "reverted": [Import.Status.REVERTED],
}
# What the preview shows, in this order, if a column of the file says it.
SHOWN = [
    "name", "email", "phone", "company", "value", "source", "stage", "owner_email", "tags", "created_at",
    "expected_close", "note", "external_id",
]  # fmt: skip


@require_safe
@never_cache
def import_list(request: MemberRequest) -> HttpResponse:
    """List imports, newest first: all, or those in one state."""
    require(request.member, "lead.import")
    imports = Import.objects.select_related("created_by")
    chosen = request.GET.get("state", "")
    if statuses := STATES.get(chosen):
        imports = imports.filter(status__in=statuses)
    page = Paginator(imports, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "crm/import_list.html",
        {
            "page": page,
            "chosen": chosen if statuses else "",
            "has_any": page.paginator.count or Import.objects.exists(),
        },
    )


@require_http_methods(["GET", "POST"])
def import_new(request: MemberRequest) -> HttpResponse:
    """Take a file."""
    require(request.member, "lead.import")
    if request.method == "GET":
        return render(request, "crm/import_new.html", {"form": ImportUploadForm()})
    form = ImportUploadForm(request.POST, request.FILES)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            import_ = service.create_import(actor=request.member, file=file, name=file.name)
        except SpreadsheetError as error:
            form.add_error("file", str(error))
        else:
            return redirect("crm:import_detail", import_.pk)
    return render(request, "crm/import_new.html", {"form": form}, status=422)


@require_safe
@never_cache
def import_detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Show an import where it is: its columns, its progress, or its result."""
    import_ = service.find_import(actor=request.member, import_id=pk)
    if import_.status == Import.Status.MAPPING:
        form = ImportColumnsForm(import_=import_)
        return render(request, "crm/import_columns.html", _columns_context(import_, form))
    return render(request, "crm/import_detail.html", _result_context(import_))


@require_POST
def import_preview(request: MemberRequest, pk: int) -> HttpResponse:
    """Keep what is chosen for the columns, and show what the first rows become by it."""
    import_ = service.find_import(actor=request.member, import_id=pk)
    _require_mapping(import_)
    form = ImportColumnsForm(request.POST, import_=import_)
    if form.is_valid():
        import_ = _keep_choices(request, import_, form)
    return render(request, "crm/import_columns.html#preview", _columns_context(import_, form))


@require_POST
def import_start(request: MemberRequest, pk: int) -> HttpResponse:
    """Start an import as chosen, or go on with one that stopped."""
    import_ = service.find_import(actor=request.member, import_id=pk)
    if import_.status == Import.Status.MAPPING:
        form = ImportColumnsForm(request.POST, import_=import_)
        if not form.is_valid():
            return render(request, "crm/import_columns.html", _columns_context(import_, form), status=422)
        _keep_choices(request, import_, form)
    service.start_import(actor=request.member, import_id=pk)
    return redirect("crm:import_detail", pk)


@require_safe
@never_cache
def import_progress(request: MemberRequest, pk: int) -> HttpResponse:
    """Show how far an import is; asked for every second until it ends."""
    import_ = service.find_import(actor=request.member, import_id=pk)
    if import_.status == Import.Status.MAPPING:
        raise Missing
    response = render(request, "crm/import_detail.html#progress", _result_context(import_))
    if import_.status == Import.Status.REVERTED:
        toast(response, _("The import is reverted."))
    elif "restored" in import_.options and import_.status in service.CAN_REVERT:
        toast(response, _("The leads are back."))
    elif import_.status == Import.Status.DONE:
        said = ngettext("%(number)s lead imported.", "%(number)s leads imported.", import_.created)
        toast(response, said % {"number": count(import_.created)})
    return response


@require_safe
@never_cache
def import_errors(request: MemberRequest, pk: int) -> FileResponse:
    """Hand out the rows that were not imported, each with its reason."""
    import_ = service.find_import(actor=request.member, import_id=pk)
    if not import_.errors_file or not Path(import_.errors_file.path).exists():
        raise Missing
    name = f"{import_.original_name.rpartition('.')[0] or import_.original_name}-{_('errors')}.csv"
    return FileResponse(
        import_.errors_file.open("rb"), as_attachment=True, filename=name, content_type="text/csv; charset=utf-8"
    )


@require_POST
def import_guess(request: MemberRequest, pk: int) -> HttpResponse:
    """Read the columns as they were guessed, not as those of the last file were."""
    service.use_guess(actor=request.member, import_id=pk)
    return redirect("crm:import_detail", pk)


@require_POST
def import_revert(request: MemberRequest, pk: int) -> HttpResponse:
    """Put away again what an import made."""
    service.start_revert(actor=request.member, import_id=pk, with_changed="with_changed" in request.POST)
    return redirect("crm:import_detail", pk)


@require_POST
def import_restore(request: MemberRequest, pk: int) -> HttpResponse:
    """Bring back what the revert of an import put away."""
    service.start_restore(actor=request.member, import_id=pk)
    return redirect("crm:import_detail", pk)


@require_POST
def import_discard(request: MemberRequest, pk: int) -> HttpResponse:
    """Delete an import and its files."""
    service.discard_import(actor=request.member, import_id=pk)
    messages.success(request, _("The import is deleted. Its leads stay."))
    return redirect("crm:import_list")


def _require_mapping(import_: Import) -> None:
    if import_.status != Import.Status.MAPPING:
        raise Invalid(_("This import has started already. Upload the file again to read it another way."))


def _keep_choices(request: MemberRequest, import_: Import, form: ImportColumnsForm) -> Import:
    chosen = form.cleaned_data
    return service.set_mapping(
        actor=request.member,
        import_id=import_.pk,
        mapping=form.mapping,
        stage=chosen["stage"],
        date_order=chosen["date_order"],
        decimal=chosen["decimal"],
        is_matching_people=chosen["is_matching_people"],
    )


def _columns_context(import_: Import, form: ImportColumnsForm) -> dict[str, Any]:
    preview = service.preview_import(import_) if not (form.is_bound and form.errors) else None
    samples = _samples(import_)
    targets = [target for target in SHOWN if target in import_.mapping.values()]
    remembered_at = import_.options.get("remembered_at")
    return {
        "import": import_,
        "remembered_at": datetime.fromisoformat(remembered_at) if remembered_at else None,
        "sheet": sheet_of(import_),
        "form": form,
        "columns": [(name, bound, cells) for (name, bound), cells in zip(form.columns(), samples, strict=True)],
        "kept": [column for column, target in import_.mapping.items() if not target],
        "headings": [TARGETS[target] for target in targets],
        "preview": preview,
        "rows": [(planned, _beginning(planned), _cells(planned, targets)) for planned in preview.rows]
        if preview
        else [],
    }


def _samples(import_: Import) -> list[list[str]]:
    """Take the first different values of each column."""
    cells: list[dict[str, None]] = [{} for _column in import_.options["header"]]
    for row in service.sample_rows(import_):
        for seen, cell in zip(cells, row, strict=True):
            if (text := " ".join(cell.split())) and len(seen) < SAMPLES:
                seen.setdefault(text[:80])
    return [list(seen) for seen in cells]


def _beginning(planned: Planned) -> str:
    """Show enough of a row to know it again."""
    return " · ".join([cell.strip()[:40] for cell in planned.row.cells.values() if cell.strip()][:3])


def _cells(planned: Planned, targets: list[str]) -> list[tuple[Any, str]]:
    """Write a draft as people read it: (heading, text) for each target."""
    draft = planned.draft
    written = {
        "name": draft.name,
        "email": draft.email,
        "phone": display_phone(draft.phone_text),
        "company": draft.company,
        "value": money(draft.value, draft.currency),
        "source": draft.source,
        "stage": planned.stage.name,
        "owner_email": planned.owner.name if planned.owner else "",
        "tags": ", ".join(draft.tags),
        "created_at": formats.date_format(timezone.localtime(draft.created_at), "SHORT_DATE_FORMAT")
        if draft.created_at
        else "",
        "expected_close": formats.date_format(draft.expected_close, "SHORT_DATE_FORMAT")
        if draft.expected_close
        else "",
        "note": draft.note[:80],
        "external_id": draft.external_id,
    }
    return [(TARGETS[target], written[target]) for target in targets]


def _result_context(import_: Import) -> dict[str, Any]:
    options = import_.options
    is_import = import_.status in {Import.Status.QUEUED, Import.Status.RUNNING}
    done, total = (import_.processed, import_.total) if is_import else _steps_of_revert(import_)
    return {
        "import": import_,
        "is_active": import_.status in service.IN_PROGRESS,
        "is_import": is_import,
        "done": done,
        "total": total,
        "percent": done * 100 // total if total else 0,
        "revert": options.get("revert"),
        "restored": options.get("restored"),
        "extent": service.extent_of(import_) if import_.status in service.CAN_REVERT else None,
        "reasons": [
            {"state": state, "column": column, "reason": reason, "count": number}
            for state, column, reason, number in options.get("reasons", [])
        ],
        "warnings": options.get("warnings", {}),
        "seconds": (import_.finished_at - import_.started_at).total_seconds()
        if import_.finished_at and import_.started_at
        else None,
    }


def _steps_of_revert(import_: Import) -> tuple[int, int]:
    """Say how far a revert, or the way back, is: leads first, then their people and companies."""
    rounds = 3 if import_.status == Import.Status.REVERTING else 1
    return import_.options.get("revert", {}).get("seen", 0), import_.created * rounds
