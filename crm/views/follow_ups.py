"""What people do with follow-ups, wherever they look at them."""

from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from core.errors import Invalid, Missing, Stale
from core.htmx import toast, trigger
from crm.contact_forms import FollowUpForm
from crm.forms import VersionForm
from crm.models import FollowUp, Lead
from crm.services import follow_ups as service
from crm.views.contacts import contact_of, show_contact
from crm.views.day import show_day
from crm.views.leads import after_change
from members.http import MemberRequest
from members.permissions import require


@require_POST
def lead_follow_up(request: MemberRequest, pk: int) -> HttpResponse:
    """Plan a next step about a lead."""
    if not Lead.objects.visible_to(request.member).filter(pk=pk).exists():
        raise Missing
    return _plan(request, {"lead_id": pk}, reverse("crm:lead_follow_up", args=[pk]))


@require_POST
def contact_follow_up(request: MemberRequest, pk: int) -> HttpResponse:
    """Plan a next step about a contact."""
    contact_of(pk, request=request)
    return _plan(request, {"contact_id": pk}, reverse("crm:contact_follow_up", args=[pk]))


@require_http_methods(["GET", "POST"])
@never_cache
def follow_up_edit(request: MemberRequest, pk: int) -> HttpResponse:
    """Show the form of a follow-up in its place, and take what is typed into it."""
    follow_up = _follow_up(request, pk)
    if request.method == "GET":
        require(request.member, "lead.edit" if follow_up.lead else "contact.edit", follow_up.lead)
        day, at = service.day_and_time(follow_up)
        initial = {
            "kind": follow_up.kind, "title": follow_up.title, "day": day, "at": at, "owner": follow_up.owner_id,
            "reminder": "" if follow_up.reminder is None else follow_up.reminder, "note": follow_up.note,
        }  # fmt: skip
        return _edit_form(request, follow_up, _form(follow_up, initial=initial))
    form = _form(follow_up, data=request.POST)
    if not form.is_valid():
        return _edit_form(request, follow_up, form, status=422)
    try:
        follow_up = service.change_follow_up(
            actor=request.member, follow_up_id=pk, version=_version(request), **form.cleaned_data
        )
    except Invalid as error:
        field = error.data.get("field")
        form.add_error(field if field in form.fields else None, str(error))
        return _edit_form(request, follow_up, form, status=error.status)
    except Stale as error:
        now = _follow_up(request, pk)
        return toast(_edit_form(request, now, form, status=409), error.message, category="warning")
    return toast(_after(request, follow_up), _("The follow-up was changed."))


@require_POST
def follow_up_finish(request: MemberRequest, pk: int) -> HttpResponse:
    """Mark a follow-up as done, and ask for the next step if there is none."""
    _follow_up(request, pk)
    done = service.finish_follow_up(actor=request.member, follow_up_id=pk, version=_version(request))
    follow_up = done.follow_up
    ask = "" if done.has_next else _("Nothing else is planned. What is the next step?")
    response = toast(
        _after(request, follow_up), _("Done: %(what)s") % {"what": follow_up}, description=ask, action=_undo(follow_up)
    )
    return response if done.has_next else trigger(response, "crm:ask-next", {"lead": follow_up.lead_id})


@require_POST
def follow_up_cancel(request: MemberRequest, pk: int) -> HttpResponse:
    """Take a follow-up back; the toast brings it again."""
    _follow_up(request, pk)
    follow_up = service.cancel_follow_up(actor=request.member, follow_up_id=pk, version=_version(request))
    return toast(_after(request, follow_up), _("Cancelled: %(what)s") % {"what": follow_up}, action=_undo(follow_up))


@require_POST
def follow_up_reopen(request: MemberRequest, pk: int) -> HttpResponse:
    """Open a follow-up again."""
    _follow_up(request, pk)
    follow_up = service.reopen_follow_up(actor=request.member, follow_up_id=pk, version=_version(request))
    return toast(_after(request, follow_up), _("Open again: %(what)s") % {"what": follow_up})


def _plan(request: MemberRequest, about: dict[str, Any], address: str) -> HttpResponse:
    form = FollowUpForm(request.POST, auto_id="plan-%s")
    if form.is_valid():
        try:
            follow_up = service.plan_follow_up(actor=request.member, **about, **form.cleaned_data)
        except Invalid as error:
            field = error.data.get("field")
            form.add_error(field if field in form.fields else None, str(error))
        else:
            return toast(_after(request, follow_up), _("Planned: %(what)s") % {"what": follow_up})
    if not request.htmx:
        raise Invalid(str(next(iter(form.errors.values()))[0]))
    context = {"step_form": form, "step_url": address}
    response = render(request, "crm/_follow_ups.html#plan", context, status=422)
    response["HX-Retarget"] = "#plan-step"
    response["HX-Reswap"] = "outerHTML"
    return response


def _follow_up(request: MemberRequest, pk: int) -> FollowUp:
    """Return a follow-up that the member may see, or raise `Missing`."""
    rows = FollowUp.objects.visible_to(request.member).select_related("owner", "lead__owner", "contact")
    follow_up = rows.filter(pk=pk).first()
    if follow_up is None:
        raise Missing
    return follow_up


def _version(request: MemberRequest) -> int:
    form = VersionForm(request.POST)
    if not form.is_valid():
        raise Invalid(_("Say which version of the follow-up you changed."))
    version: int = form.cleaned_data["version"]
    return version


def _undo(follow_up: FollowUp) -> dict[str, Any]:
    return {
        "label": _("Undo"),
        "url": reverse("crm:follow_up_reopen", args=[follow_up.pk]),
        "values": {"version": follow_up.version},
    }


def _form(follow_up: FollowUp, **given: Any) -> FollowUpForm:
    return FollowUpForm(follow_up=follow_up, auto_id=f"step-{follow_up.pk}-%s", **given)


def _edit_form(request: MemberRequest, follow_up: FollowUp, form: FollowUpForm, *, status: int = 200) -> HttpResponse:
    form.fields["title"].widget.attrs["autofocus"] = True
    response = render(request, "crm/_follow_ups.html#edit", {"step": follow_up, "form": form}, status=status)
    if status != 200:
        response["HX-Retarget"] = f"#follow-up-{follow_up.pk}"
        response["HX-Reswap"] = "innerHTML"
    return response


def _after(request: MemberRequest, follow_up: FollowUp) -> HttpResponse:
    """Answer a change with the page that it was made on, as it is now."""
    target = request.htmx.target
    if follow_up.lead and target in {"lead-panel", "lead-page"}:
        return after_change(follow_up.lead.pk, request=request)
    contact_id = follow_up.lead.contact_id if follow_up.lead else follow_up.contact_id
    if target == "contact-page" and contact_id:
        return show_contact(contact_of(contact_id, request=request), request=request)
    if target == "day-page":
        return show_day(request=request)
    if request.htmx:
        return trigger(HttpResponse(status=204), "crm:record-changed", {})
    if follow_up.lead:
        return redirect("crm:lead_detail", pk=follow_up.lead.pk)
    return redirect("crm:contact_detail", pk=contact_id)
