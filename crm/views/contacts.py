"""Pages of contacts: the list, one contact, a new one."""

from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Count, F, Q
from django.db.models.functions import Lower
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import AppError, Invalid, Missing, Stale
from core.htmx import toast, trigger
from crm.contact_forms import ContactForm, PeopleFilterForm
from crm.forms import NoteForm, VersionForm
from crm.identity import display_phone, parse_phone
from crm.models import Company, Contact, Lead
from crm.services import contacts as service
from crm.services.timeline import timeline_of_contact
from crm.views.facts import Fact
from crm.views.steps import contact_steps
from members.http import MemberRequest
from members.permissions import is_allowed, require

PER_PAGE = 50
MOST_LEADS = 50
FIELDS = ("name", "email", "phone", "company_name")
# One line a column of the list: what it sorts by.
ORDERS: dict[str, Any] = {
    "name": Lower("name"),
    "company": Lower("company__name"),
    "email": F("email"),
    "created": F("created_at"),
}


@require_safe
@never_cache
def contact_list(request: MemberRequest) -> HttpResponse:
    """List contacts: searched, sorted, 50 a page."""
    require(request.member, "contact.view")
    form = PeopleFilterForm(request.GET, sorts=tuple(ORDERS))
    chosen = form.known()
    contacts = Contact.objects.visible_to(request.member)
    contacts = contacts.exclude(archived_at=None) if chosen.get("archived") else contacts.current()
    if "q" in chosen:
        contacts = contacts.matching(chosen["q"].replace("\x00", ""))
    sort = chosen.get("sort", "name")
    column = ORDERS[sort.removeprefix("-")]
    order = column.desc(nulls_last=True) if sort.startswith("-") else column.asc(nulls_last=True)
    contacts = contacts.select_related("company", "merged_into").order_by(order, "pk")
    page = Paginator(contacts, PER_PAGE).get_page(request.GET.get("page"))
    _count_leads(request, page.object_list)
    context = {
        "page": page,
        "query": clean_query(request.GET),
        "sort": sort,
        "columns": [
            ("name", _("Name"), False), ("company", _("Company"), False), ("email", _("E-mail"), False),
            ("", _("Phone"), False), ("", _("Leads"), True), ("created", _("Created"), True),
        ],
        "filters": {name: value for name, value in chosen.items() if name != "sort"},
        "form": form,
    }  # fmt: skip
    if request.htmx.target == "people-results":
        return render(request, "crm/contact_list.html#results", context)
    return render(request, "crm/contact_list.html", context)


@require_http_methods(["GET", "POST"])
def contact_new(request: MemberRequest) -> HttpResponse:
    """Make a contact; whoever has the same e-mail or phone already is shown first."""
    require(request.member, "contact.create")
    typed = request.POST if request.method == "POST" else None
    form = ContactForm(typed, initial={"company_name": _company_name(request)})
    same: list[Contact] = []
    if request.method == "POST" and form.is_valid():
        try:
            is_sure = request.POST.get("is_sure") == "on"
            contact = service.create_contact(actor=request.member, is_sure=is_sure, **form.cleaned_data)
        except Invalid as error:
            form.add_error(None, str(error))
            same = service.same_as(
                actor=request.member, email=form.cleaned_data["email"], phone=form.cleaned_data["phone"]
            )
        else:
            messages.success(request, _("%(name)s was created.") % {"name": contact})
            return redirect("crm:contact_detail", pk=contact.pk)
    context = {"form": form, "same": same, "must_be_sure": bool(same)}
    return render(request, "crm/contact_new.html", context, status=422 if form.errors else 200)


@require_safe
@never_cache
def contact_same(request: MemberRequest) -> HttpResponse:
    """Say who has the e-mail or phone that is being typed."""
    require(request.member, "contact.create")
    email, phone = (request.GET.get(name, "").replace("\x00", "")[:254] for name in ("email", "phone"))
    same = service.same_as(actor=request.member, email=email, phone=phone)
    return render(request, "crm/contact_new.html#same", {"same": same})


@require_safe
@never_cache
def contact_detail(request: MemberRequest, pk: int) -> HttpResponse:
    """Show a contact: who it is, its leads, what is to be done, and what happened."""
    return show_contact(contact_of(pk, request=request), request=request)


@require_http_methods(["GET", "POST"])
@never_cache
def contact_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Show one fact's field, and take what is typed into it."""
    contact = contact_of(pk, request=request)
    field = (request.POST or request.GET).get("field", "")
    if field not in FIELDS:
        raise Invalid(_("This cannot be edited."))
    require(request.member, "contact.edit")
    if request.method == "GET":
        values = service.values_of(contact) | {"phone": display_phone(contact.phone)}
        return _fact_form(request, contact, ContactForm(initial=values, only=field), field)
    form = ContactForm(request.POST, only=field)
    if not form.is_valid():
        return _fact_form(request, contact, form, field, status=422)
    try:
        service.change_contact(
            actor=request.member, contact_id=pk, version=version_of(request.POST), **form.cleaned_data
        )
    except Invalid as error:
        form.add_error(field, str(error))
        return _fact_form(request, contact, form, field, status=error.status)
    except Stale as error:
        form_again = _fact_form(request, contact_of(pk, request=request), form, field, status=409, conflict=error)
        return toast(form_again, error.message, category="warning")
    return _after(request, pk)


@require_POST
def contact_note(request: MemberRequest, pk: int) -> HttpResponse:
    """Write a note on a contact."""
    contact_of(pk, request=request)
    form = NoteForm(request.POST)
    if not form.is_valid():
        raise Invalid(str(next(iter(form.errors.values()))[0]))
    service.add_contact_note(actor=request.member, contact_id=pk, **form.cleaned_data)
    return _after(request, pk)


@require_POST
def contact_archive(request: MemberRequest, pk: int) -> HttpResponse:
    """Put a contact away; the toast brings it back."""
    contact_of(pk, request=request)
    contact = service.archive_contact(actor=request.member, contact_id=pk, version=version_of(request.POST))
    address = reverse("crm:contact_restore", args=[pk])
    undo = {"label": _("Undo"), "url": address, "values": {"version": contact.version}}
    return toast(_after(request, pk), _("The contact was archived."), description=str(contact), action=undo)


@require_POST
def contact_restore(request: MemberRequest, pk: int) -> HttpResponse:
    """Bring an archived contact back."""
    contact_of(pk, request=request)
    contact = service.restore_contact(actor=request.member, contact_id=pk, version=version_of(request.POST))
    return toast(_after(request, pk), _("The contact is back."), description=str(contact))


def contact_of(pk: int, *, request: MemberRequest) -> Contact:
    """Return a contact that the member may see, or raise `Missing`."""
    rows = Contact.objects.visible_to(request.member).select_related("company", "merged_into")
    contact = rows.filter(pk=pk).first()
    if contact is None:
        raise Missing
    return contact


def show_contact(contact: Contact, *, request: MemberRequest) -> HttpResponse:
    """Render a contact: as a page, or again in its place."""
    is_current = contact.archived_at is None
    may_edit = is_current and is_allowed(request.member, "contact.edit")
    leads = Lead.objects.visible_to(request.member).filter(contact=contact)
    may_merge = is_current and is_allowed(request.member, "contact.merge")
    context = {
        "record": contact,
        "edit_url": reverse("crm:contact_edit", args=[contact.pk]),
        "facts": _facts(contact, may_edit=may_edit),
        "leads": leads.select_related("stage", "owner").order_by("archived_at", "-updated_at", "-pk")[:MOST_LEADS],
        "lead_count": leads.count(),
        "lines": timeline_of_contact(contact, member=request.member),
        "same": service.same_as(actor=request.member, email=contact.email, phone=contact.phone, but=contact)
        if may_merge
        else [],
        "may_edit": may_edit,
        "may_archive": is_allowed(request.member, "contact.archive") and contact.merged_into_id is None,
        "may_merge": may_merge,
        "note_form": NoteForm(auto_id="note-%s"),
        "step_url": reverse("crm:contact_follow_up", args=[contact.pk]),
        **contact_steps(contact, member=request.member, may_edit=may_edit),
    }
    part = "#page" if request.htmx.target == "contact-page" else ""
    return render(request, f"crm/contact.html{part}", context)


def version_of(data: QueryDict) -> int:
    """Return which version of a record somebody saw when they decided."""
    form = VersionForm(data)
    if not form.is_valid():
        raise Invalid(_("Say which version you changed."))
    version: int = form.cleaned_data["version"]
    return version


def clean_query(data: QueryDict) -> QueryDict:
    """Leave out of a list's address what is empty or nobody's."""
    query = QueryDict(mutable=True)
    for name in ("q", "archived", "sort", "page"):
        if value := data.get(name, ""):
            query[name] = value
    return query


def _after(request: MemberRequest, pk: int) -> HttpResponse:
    if request.htmx.target == "contact-page":
        return show_contact(contact_of(pk, request=request), request=request)
    if request.htmx:
        return trigger(HttpResponse(status=204), "crm:record-changed", {})
    return redirect("crm:contact_detail", pk=pk)


def _facts(contact: Contact, *, may_edit: bool) -> list[Fact]:
    number = parse_phone(contact.phone) if contact.phone else None
    company = contact.company
    rows = [
        ("name", _("Name"), contact.name, ""),
        ("email", _("E-mail"), contact.email, f"mailto:{contact.email}" if contact.email else ""),
        ("phone", _("Phone"), display_phone(contact.phone), f"tel:{number.e164}" if number and number.e164 else ""),
        (
            "company_name", _("Company"), company.name if company else "",
            reverse("crm:company_detail", args=[company.pk]) if company else "",
        ),
    ]  # fmt: skip
    return [Fact(*row, may_edit=may_edit) for row in rows]


def _fact_form(
    request: MemberRequest,
    contact: Contact,
    form: ContactForm,
    field: str,
    *,
    status: int = 200,
    conflict: AppError | None = None,
) -> HttpResponse:
    form.auto_id = "fact-%s-input"
    form.fields[field].widget.attrs |= {"class": "input", "autofocus": True}
    context = {
        "record": contact,
        "edit_url": reverse("crm:contact_edit", args=[contact.pk]),
        "bound": form[field],
        "field": field,
        "conflict": conflict,
        "now": service.values_of(contact)[field] if conflict else "",
    }
    response = render(request, "crm/_record.html#fact_form", context, status=status)
    if status != 200:
        response["HX-Retarget"] = f"#fact-{field}"
        response["HX-Reswap"] = "innerHTML"
    return response


def _count_leads(request: MemberRequest, contacts: Any) -> None:
    """Write onto the contacts of a page how many leads of each the member sees. One query."""
    leads = Lead.objects.visible_to(request.member).current().filter(contact__in=[contact.pk for contact in contacts])
    counts = dict(leads.order_by().values_list("contact").annotate(Count("pk")))
    for contact in contacts:
        contact.lead_count = counts.get(contact.pk, 0)


def _company_name(request: MemberRequest) -> str:
    """Name the company that a new contact is made for."""
    wanted = request.GET.get("company", "")
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 19):
        return ""
    company = Company.objects.visible_to(request.member).filter(Q(pk=int(wanted))).first()
    return company.name if company else ""
