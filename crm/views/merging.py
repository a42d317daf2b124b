"""Two contacts that are one person: choose the other, look at both, make them one."""

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from core.errors import Invalid, Stale
from crm.contact_forms import MergeForm
from crm.identity import display_phone
from crm.models import Contact
from crm.services import merging as service
from crm.services.contacts import same_as
from crm.views.contacts import contact_of
from members.http import MemberRequest
from members.permissions import require

MOST_FOUND = 20


@dataclass(frozen=True)
class Choice:
    """One field of both, and which of the two values is proposed."""

    field: str
    label: str
    this: str
    other: str
    chosen: str


@require_safe
@never_cache
def contact_merge(request: MemberRequest, pk: int) -> HttpResponse:
    """Look for the other contact: first whoever has the same e-mail or phone."""
    require(request.member, "contact.merge")
    contact = _current(request, pk)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    found = same_as(actor=request.member, email=contact.email, phone=contact.phone, but=contact)
    if text:
        others = Contact.objects.visible_to(request.member).current().matching(text).exclude(pk=pk)
        found = list(others.select_related("company").order_by("name", "pk")[:MOST_FOUND])
    context = {"record": contact, "found": found, "text": text}
    part = "#results" if request.htmx.target == "merge-results" else ""
    return render(request, f"crm/contact_merge.html{part}", context)


@require_http_methods(["GET", "POST"])
@never_cache
def contact_merge_with(request: MemberRequest, pk: int, other_id: int) -> HttpResponse:
    """Show both side by side and what would move; then make them one."""
    require(request.member, "contact.merge")
    contact, other = _current(request, pk), _current(request, other_id)
    if pk == other_id:
        raise Invalid(_("A contact cannot become part of itself."))
    form = MergeForm(request.POST if request.method == "POST" else None)
    error, status = "", 200
    if request.method == "POST":
        if not form.is_valid():
            error, status = _("Choose a value in every line."), 422
        else:
            try:
                service.merge_contacts(
                    actor=request.member, contact_id=pk, other_id=other_id, from_other=form.from_other(),
                    version=form.cleaned_data["version"], other_version=form.cleaned_data["other_version"],
                )  # fmt: skip
            except Stale as problem:
                error, status = str(problem), problem.status
                contact, other = _current(request, pk), _current(request, other_id)
            else:
                messages.success(request, _("%(name)s is part of this contact now.") % {"name": other})
                return redirect("crm:contact_detail", pk=pk)
    context = {
        "record": contact, "other": other, "moving": service.what_moves(other), "error": error,
        "choices": _choices(contact, other, chosen=form.from_other() if form.is_bound and form.is_valid() else {}),
    }  # fmt: skip
    return render(request, "crm/contact_merge_with.html", context, status=status)


def _current(request: MemberRequest, pk: int) -> Contact:
    contact = contact_of(pk, request=request)
    if contact.archived_at:
        raise Invalid(_("This contact is archived. Restore it first."))
    return contact


def _choices(contact: Contact, other: Contact, *, chosen: dict[str, bool]) -> list[Choice]:
    rows = [
        ("name", _("Name"), contact.name, other.name),
        ("email", _("E-mail"), contact.email, other.email),
        ("phone", _("Phone"), display_phone(contact.phone), display_phone(other.phone)),
        ("company", _("Company"), str(contact.company or ""), str(other.company or "")),
    ]
    return [
        Choice(field, label, this, that, "other" if chosen.get(field, not this and bool(that)) else "this")
        for field, label, this, that in rows
    ]
