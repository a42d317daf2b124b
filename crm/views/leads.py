"""Pages of leads: the list, one lead, a new one."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import F, QuerySet
from django.db.models.functions import Lower
from django.http import HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import AppError, Invalid, Missing, Stale
from core.htmx import HttpResponseClientRedirect, toast
from crm.forms import LeadFilterForm, LeadForm, LoseForm, NoteForm, VersionForm
from crm.models import Lead, LeadQuerySet, Tag
from crm.services import leads as service
from crm.services.exports import export_leads
from crm.services.pipelines import default_pipeline
from crm.services.timeline import timeline
from crm.views.facts import EDITABLE, facts_of, text_of, value_of, whole_lead
from crm.views.steps import lead_steps
from members.http import MemberRequest
from members.permissions import is_allowed, require

PER_PAGE = 50
SUGGESTIONS = 100
# One line a column of the list: what it sorts by.
ORDERS: dict[str, Any] = {
    "title": Lower("title__unaccent"),
    "company": Lower("company__name__unaccent"),
    "stage": F("stage__order"),
    "value": F("value"),
    "owner": Lower("owner__name__unaccent"),
    "source": Lower("source__unaccent"),
    "created": F("created_at"),
}


@require_safe
@never_cache
def lead_list(request: MemberRequest) -> HttpResponse:
    """List leads: searched, filtered, sorted, 50 a page."""
    require(request.member, "lead.view")
    form = LeadFilterForm(request.GET)
    chosen = form.known()
    leads = _filtered(request, chosen).select_related("stage", "owner", "company", "contact")
    page = Paginator(leads, PER_PAGE).get_page(request.GET.get("page"))
    query = _clean_query(request)
    filters = {name: value for name, value in chosen.items() if name != "sort"}
    context = {
        "form": form,
        "page": page,
        "query": query,
        "sort": chosen.get("sort", "-created"),
        "columns": _columns(),
        "filters": filters,
        "has_none": not page.paginator.count and not filters and not Lead.objects.exists(),
    }
    if request.htmx.target == "lead-results":
        response = render(request, "crm/lead_list.html#results", context)
        response["HX-Push-Url"] = f"{reverse('crm:lead_list')}?{query.urlencode()}".rstrip("?")
        return response
    return render(request, "crm/lead_list.html", {**context, "sources": _sources(request)})


@require_safe
@never_cache
def lead_export(request: MemberRequest) -> StreamingHttpResponse:
    """Hand out what the list shows, all pages, as a spreadsheet."""
    require(request.member, "lead.export")
    leads = _filtered(request, LeadFilterForm(request.GET).known())
    pieces = export_leads(actor=request.member, leads=leads)
    response = StreamingHttpResponse((piece.encode() for piece in pieces), content_type="text/csv; charset=utf-8")
    day = timezone.localdate().isoformat()
    response["Content-Disposition"] = f'attachment; filename="leads-{request.organization.slug}-{day}.csv"'
    return response


@require_http_methods(["GET", "POST"])
def lead_new(request: MemberRequest) -> HttpResponse:
    """Make a lead with all that is known about it."""
    require(request.member, "lead.create")
    pipeline = default_pipeline()
    initial = {"owner": request.member.pk, "currency": request.organization.currency, "stage": request.GET.get("stage")}
    form = LeadForm(request.POST or None, member=request.member, pipeline=pipeline, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            lead = service.create_lead(actor=request.member, **form.cleaned_data)
        except Invalid as error:
            form.add_error("external_id" if error.data.get("field") == "external_id" else None, str(error))
        else:
            messages.success(request, _("%(title)s was created.") % {"title": lead.title})
            visible = Lead.objects.visible_to(request.member).filter(pk=lead.pk).exists()
            return redirect("crm:lead_detail", pk=lead.pk) if visible else redirect("crm:lead_list")
    status = 422 if form.errors else 200
    return render(request, "crm/lead_new.html", {"form": form, **_suggestions(request)}, status=status)


@require_safe
@never_cache
def lead_detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Show a lead: beside the board as a panel, else as a page of its own."""
    lead = _lead(request, pk)
    if request.htmx and request.GET.get("seen") == str(lead.version):
        return HttpResponse(status=204)
    return _show(request, lead)


@require_http_methods(["GET", "POST"])
@never_cache
def lead_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Show one fact's field, and take what is typed into it."""
    lead = _lead(request, pk)
    field = (request.POST or request.GET).get("field", "")
    if field not in EDITABLE:
        raise Invalid(_("This cannot be edited."))
    require(request.member, "lead.assign" if field == "owner" else "lead.edit", lead)
    only = {field, "currency"} if field == "value" else {field}
    if request.method == "GET":
        form = LeadForm(
            initial={name: value_of(lead, name) for name in only}, member=request.member, lead=lead, only=only
        )
        return _fact_form(request, lead, form, field)
    form = LeadForm(request.POST, member=request.member, lead=lead, only=only)
    if not form.is_valid():
        return _fact_form(request, lead, form, field, status=422)
    try:
        service.change_lead(actor=request.member, lead_id=pk, version=_version(request), **form.cleaned_data)
    except Invalid as error:
        form.add_error(field, str(error))
        return _fact_form(request, lead, form, field, status=error.status)
    except Stale as error:
        now = _lead(request, pk)
        return toast(
            _fact_form(request, now, form, field, status=409, conflict=error), error.message, category="warning"
        )
    return after_change(pk, request=request)


@require_POST
def lead_note(request: MemberRequest, pk: int) -> HttpResponse:
    """Write a note on a lead."""
    form = NoteForm(request.POST)
    _lead(request, pk)
    if not form.is_valid():
        raise Invalid(_first_error(form))
    service.add_note(actor=request.member, lead_id=pk, **form.cleaned_data)
    return after_change(pk, request=request)


@require_POST
def lead_lose(request: MemberRequest, pk: int) -> HttpResponse:
    """Close a lead as lost."""
    form = LoseForm(request.POST)
    _lead(request, pk)
    if not form.is_valid():
        raise Invalid(_first_error(form))
    lead = service.lose_lead(actor=request.member, lead_id=pk, version=_version(request), **form.cleaned_data)
    undo = {"label": _("Undo"), "url": reverse("crm:lead_reopen", args=[pk]), "values": {"version": lead.version}}
    return toast(after_change(pk, request=request), _("Marked as lost."), description=lead.title, action=undo)


@require_POST
def lead_reopen(request: MemberRequest, pk: int) -> HttpResponse:
    """Take a lost lead back."""
    _lead(request, pk)
    lead = service.reopen_lead(actor=request.member, lead_id=pk, version=_version(request))
    return toast(after_change(pk, request=request), _("The lead is open again."), description=lead.title)


@require_POST
def lead_archive(request: MemberRequest, pk: int) -> HttpResponse:
    """Put a lead away; the toast brings it back."""
    _lead(request, pk)
    lead = service.archive_lead(actor=request.member, lead_id=pk, version=_version(request))
    undo = {"label": _("Undo"), "url": reverse("crm:lead_restore", args=[pk]), "values": {"version": lead.version}}
    return toast(after_change(pk, request=request), _("The lead was archived."), description=lead.title, action=undo)


@require_POST
def lead_restore(request: MemberRequest, pk: int) -> HttpResponse:
    """Bring an archived lead back."""
    _lead(request, pk)
    lead = service.restore_lead(actor=request.member, lead_id=pk, version=_version(request))
    return toast(after_change(pk, request=request), _("The lead is back."), description=lead.title)


def _lead(request: MemberRequest, pk: int) -> Lead:
    """Return a lead that the member may see, or raise `Missing`."""
    lead = whole_lead(Lead.objects.visible_to(request.member), pk)
    if lead is None:
        raise Missing
    return lead


def _version(request: MemberRequest) -> int:
    form = VersionForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Say which version of the lead you changed."))
    version: int = form.cleaned_data["version"]
    return version


def _show(request: MemberRequest, lead: Lead) -> HttpResponse:
    """Render a lead for where it is asked from: into the panel, again in its place, or as a page."""
    context = {
        "lead": lead,
        "facts": facts_of(lead, editable=_editable(request, lead)),
        "lines": timeline(lead),
        "stages": list(lead.stage.pipeline.stages.all()),
        "may_edit": _may(request, lead, "lead.edit"),
        "may_move": _may(request, lead, "lead.move") and lead.outcome != Lead.Outcome.LOST,
        "may_archive": is_allowed(request.member, "lead.archive", lead),
        "is_read_only": not is_allowed(request.member, "lead.edit", lead),
        "note_form": NoteForm(auto_id="note-%s"),
        "lose_form": LoseForm(auto_id="lose-%s"),
        "step_url": reverse("crm:lead_follow_up", args=[lead.pk]),
        **lead_steps(lead, member=request.member, may_edit=_may(request, lead, "lead.edit")),
    }
    part = {"panel": "#panel", "lead-panel": "#panel", "lead-page": "#page"}.get(request.htmx.target or "", "")
    return render(request, f"crm/lead.html{part}", context)


def after_change(pk: int, *, request: MemberRequest) -> HttpResponse:
    """Answer a change with the lead as it is now."""
    lead = whole_lead(Lead.objects.visible_to(request.member), pk)
    if lead is None:
        messages.success(request, _("Saved. You no longer see this lead: it belongs to somebody else now."))
        return HttpResponseClientRedirect(reverse("crm:lead_list"))
    if not request.htmx:
        return redirect("crm:lead_detail", pk=pk)
    if request.htmx.target in {"lead-panel", "lead-page"}:
        return _show(request, lead)
    return HttpResponse(status=204)


def _may(request: MemberRequest, lead: Lead, right: str) -> bool:
    return lead.archived_at is None and is_allowed(request.member, right, lead)


def _editable(request: MemberRequest, lead: Lead) -> set[str]:
    if not _may(request, lead, "lead.edit"):
        return set()
    return set(EDITABLE) if is_allowed(request.member, "lead.assign", lead) else set(EDITABLE) - {"owner"}


def _fact_form(
    request: MemberRequest,
    lead: Lead,
    form: LeadForm,
    field: str,
    *,
    status: int = 200,
    conflict: AppError | None = None,
) -> HttpResponse:
    """Render one fact's form into its place; what was typed stays."""
    form.auto_id = "fact-%s-input"
    for name, each in form.fields.items():
        is_choice = isinstance(each.widget, forms.Select)
        each.widget.attrs |= {"class": "select" if is_choice else "input", "autofocus": name == field}
    context = {"lead": lead, "form": form, "bound": form[field], "field": field, "conflict": conflict}
    if conflict:
        context["now"] = text_of(lead, field)
    if field == "source":
        context["sources"] = _sources(request)
    if field == "tags":
        context["tags"] = Tag.objects.all()[:SUGGESTIONS]
    response = render(request, "crm/lead.html#fact_form", context, status=status)
    if status != 200:
        response["HX-Retarget"] = f"#fact-{field}"
        response["HX-Reswap"] = "innerHTML"
    return response


def _first_error(form: forms.Form) -> str:
    return str(next(iter(form.errors.values()))[0])


def _filtered(request: MemberRequest, chosen: dict[str, Any]) -> LeadQuerySet:
    """Return the leads that the list shows, in its order."""
    leads = Lead.objects.visible_to(request.member)
    leads = leads.exclude(archived_at=None) if chosen.get("archived") else leads.current()
    if "q" in chosen:
        leads = leads.matching(chosen["q"])
    for name in ("source", "stage", "outcome"):
        if name in chosen:
            leads = leads.filter(**{name: chosen[name]})
    if "tag" in chosen:
        leads = leads.filter(tags=chosen["tag"])
    if owner := chosen.get("owner"):
        leads = leads.filter(owner={"me": request.member.pk, "none": None}.get(owner, owner))
    sort = chosen.get("sort", "-created")
    column = ORDERS[sort.removeprefix("-")]
    order = column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)
    return leads.order_by(order, "-pk")


def _columns() -> list[tuple[str, str, bool]]:
    """Name the columns of the list: key, heading, whether it holds numbers."""
    return [
        ("title", _("Title"), False),
        ("company", _("Company and contact"), False),
        ("stage", _("Stage"), False),
        ("value", _("Value"), True),
        ("owner", _("Owner"), False),
        ("source", _("Source"), False),
        ("created", _("Created"), True),
    ]


def _clean_query(request: MemberRequest) -> QueryDict:
    """Leave out of the address what is empty or nobody's."""
    query = QueryDict(mutable=True)
    for name in (*LeadFilterForm.base_fields, "page"):
        if value := request.GET.get(name, ""):
            query[name] = value
    return query


def _sources(request: MemberRequest) -> QuerySet[Lead, str]:
    visible = Lead.objects.visible_to(request.member).exclude(source="")
    return visible.order_by("source").values_list("source", flat=True).distinct()[:SUGGESTIONS]


def _suggestions(request: MemberRequest) -> dict[str, Any]:
    return {"sources": _sources(request), "tags": Tag.objects.all()[:SUGGESTIONS]}
