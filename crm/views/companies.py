"""Pages of companies: the list, one company, a new one."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, F
from django.db.models.functions import Lower
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import AppError, Invalid, Missing, Stale
from core.htmx import toast, trigger
from crm.contact_forms import CompanyForm, PeopleFilterForm
from crm.models import Company, Contact, Lead
from crm.services import companies as service
from crm.services.timeline import timeline_of_company
from crm.views.contacts import PER_PAGE, clean_query, version_of
from crm.views.facts import Fact
from members.http import MemberRequest
from members.permissions import is_allowed, require

MOST = 50
# One line a column of the list: what it sorts by.
ORDERS: dict[str, Any] = {"name": Lower("name"), "created": F("created_at")}


@require_safe
@never_cache
def company_list(request: MemberRequest) -> HttpResponse:
    """List companies: searched, sorted, 50 a page."""
    require(request.member, "contact.view")
    form = PeopleFilterForm(request.GET, sorts=tuple(ORDERS))
    chosen = form.known()
    companies = Company.objects.visible_to(request.member)
    companies = companies.exclude(archived_at=None) if chosen.get("archived") else companies.current()
    if "q" in chosen:
        companies = companies.matching(chosen["q"].replace("\x00", ""))
    sort = chosen.get("sort", "name")
    column = ORDERS[sort.removeprefix("-")]
    order = column.desc() if sort.startswith("-") else column.asc()
    page = Paginator(companies.order_by(order, "pk"), PER_PAGE).get_page(request.GET.get("page"))
    _count(request, page.object_list)
    context = {
        "page": page,
        "query": clean_query(request.GET),
        "sort": sort,
        "columns": [
            ("name", _("Name"), False), ("", _("Contacts"), True), ("", _("Leads"), True),
            ("created", _("Created"), True),
        ],
        "filters": {name: value for name, value in chosen.items() if name != "sort"},
        "form": form,
    }  # fmt: skip
    if request.htmx.target == "people-results":
        return render(request, "crm/company_list.html#results", context)
    return render(request, "crm/company_list.html", context)


@require_http_methods(["GET", "POST"])
def company_new(request: MemberRequest) -> HttpResponse:
    """Make a company."""
    require(request.member, "contact.create")
    form = CompanyForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            company = service.create_company(actor=request.member, **form.cleaned_data)
        except Invalid as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, _("%(name)s was created.") % {"name": company})
            return redirect("crm:company_detail", pk=company.pk)
    return render(request, "crm/company_new.html", {"form": form}, status=422 if form.errors else 200)


@require_safe
@never_cache
def company_detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Show a company: its contacts, its leads, and what happened to them."""
    return _show(request, _company(request, pk))


@require_http_methods(["GET", "POST"])
@never_cache
def company_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Show the name's field, and take what is typed into it."""
    company = _company(request, pk)
    require(request.member, "contact.edit")
    if (request.POST or request.GET).get("field") != "name":
        raise Invalid(_("This cannot be edited."))
    if request.method == "GET":
        return _fact_form(request, company, CompanyForm(initial={"name": company.name}))
    form = CompanyForm(request.POST)
    if not form.is_valid():
        return _fact_form(request, company, form, status=422)
    try:
        service.rename_company(
            actor=request.member, company_id=pk, version=version_of(request.POST), **form.cleaned_data
        )
    except Invalid as error:
        form.add_error("name", str(error))
        return _fact_form(request, company, form, status=error.status)
    except Stale as error:
        form_again = _fact_form(request, _company(request, pk), form, status=409, conflict=error)
        return toast(form_again, error.message, category="warning")
    return _after(request, pk)


@require_POST
def company_archive(request: MemberRequest, pk: int) -> HttpResponse:
    """Put a company away; the toast brings it back."""
    _company(request, pk)
    company = service.archive_company(actor=request.member, company_id=pk, version=version_of(request.POST))
    address = reverse("crm:company_restore", args=[pk])
    undo = {"label": _("Undo"), "url": address, "values": {"version": company.version}}
    return toast(_after(request, pk), _("The company was archived."), description=company.name, action=undo)


@require_POST
def company_restore(request: MemberRequest, pk: int) -> HttpResponse:
    """Bring an archived company back."""
    _company(request, pk)
    company = service.restore_company(actor=request.member, company_id=pk, version=version_of(request.POST))
    return toast(_after(request, pk), _("The company is back."), description=company.name)


def _company(request: MemberRequest, pk: int) -> Company:
    """Return a company that the member may see, or raise `Missing`."""
    company = Company.objects.visible_to(request.member).filter(pk=pk).first()
    if company is None:
        raise Missing
    return company


def _show(request: MemberRequest, company: Company) -> HttpResponse:
    may_edit = company.archived_at is None and is_allowed(request.member, "contact.edit")
    leads = Lead.objects.visible_to(request.member).filter(company=company)
    contacts = Contact.objects.visible_to(request.member).current().filter(company=company)
    context = {
        "record": company,
        "edit_url": reverse("crm:company_edit", args=[company.pk]),
        "facts": [Fact("name", _("Name"), company.name, may_edit=may_edit)],
        "leads": leads.select_related("stage", "owner").order_by("archived_at", "-updated_at", "-pk")[:MOST],
        "lead_count": leads.count(),
        "contacts": contacts.order_by("name", "pk")[:MOST],
        "contact_count": contacts.count(),
        "lines": timeline_of_company(company, member=request.member),
        "may_edit": may_edit,
        "may_archive": is_allowed(request.member, "contact.archive"),
    }
    part = "#page" if request.htmx.target == "company-page" else ""
    return render(request, f"crm/company.html{part}", context)


def _after(request: MemberRequest, pk: int) -> HttpResponse:
    if request.htmx.target == "company-page":
        return _show(request, _company(request, pk))
    if request.htmx:
        return trigger(HttpResponse(status=204), "crm:record-changed", {})
    return redirect("crm:company_detail", pk=pk)


def _fact_form(
    request: MemberRequest, company: Company, form: CompanyForm, *, status: int = 200, conflict: AppError | None = None
) -> HttpResponse:
    form.auto_id = "fact-%s-input"
    form.fields["name"].widget.attrs |= {"class": "input", "autofocus": True}
    context = {
        "record": company,
        "edit_url": reverse("crm:company_edit", args=[company.pk]),
        "bound": form["name"],
        "field": "name",
        "conflict": conflict,
        "now": company.name,
    }
    response = render(request, "crm/_record.html#fact_form", context, status=status)
    if status != 200:
        response["HX-Retarget"] = "#fact-name"
        response["HX-Reswap"] = "innerHTML"
    return response


def _count(request: MemberRequest, companies: Any) -> None:
    """Write onto the companies of a page how many contacts and leads of each the member sees. Two queries."""
    pks = [company.pk for company in companies]
    leads = Lead.objects.visible_to(request.member).current().filter(company__in=pks)
    contacts = Contact.objects.visible_to(request.member).current().filter(company__in=pks)
    lead_counts, contact_counts = (
        dict(rows.order_by().values_list("company").annotate(Count("pk"))) for rows in (leads, contacts)
    )
    for company in companies:
        company.lead_count = lead_counts.get(company.pk, 0)
        company.contact_count = contact_counts.get(company.pk, 0)
