"""People of the organization, the way in by invitation, and the organization's own settings."""

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import AppError, Invalid, Missing
from members.forms import InvitationForm, MemberForm, OrganizationSettingsForm, TeamForm
from members.http import MemberRequest
from members.models import Invitation, Member, Team
from members.permissions import require
from members.services import people as service
from members.services.organization import change_organization
from tenants.context import in_organization
from tenants.forms import INVITATION_KEY
from tenants.models import Organization
from tenants.platform import link_from, platform_reverse
from tenants.services import remove_organization


@require_safe
def people(request: MemberRequest) -> HttpResponse:
    """List members, teams and open invitations."""
    require(request.member, "member.view")
    return _people(request)


@require_POST
def invitation_create(request: MemberRequest) -> HttpResponse:
    """Make an invitation and show its link, once."""
    require(request.member, "member.invite")
    form = InvitationForm(request.POST, member=request.member)
    if not form.is_valid():
        return _people(request, invitation_form=form, status=422)
    _invitation, token = service.invite(actor=request.member, **form.cleaned_data)
    path = platform_reverse("members:invitation", slug=request.organization.slug, token=token)
    link = f"{django_settings.PUBLIC_SCHEME}://{request.get_host()}{path}"
    return _people(request, link=link)


@require_POST
def invitation_revoke(request: MemberRequest, pk: int) -> HttpResponse:
    """End an open invitation."""
    service.revoke_invitation(actor=request.member, invitation_id=pk)
    messages.success(request, _("The invitation no longer works."))
    return redirect("members:people")


@require_POST
def member_change(request: MemberRequest, pk: int) -> HttpResponse:
    """Change a member's role and team."""
    form = MemberForm(request.POST)
    if form.is_valid():
        _say(request, _("Saved."), service.change_member, actor=request.member, member_id=pk, **form.cleaned_data)
    else:
        messages.error(request, _("Choose a role."))
    return redirect("members:people")


@require_POST
def member_deactivate(request: MemberRequest, pk: int) -> HttpResponse:
    """Shut a member out."""
    _say(request, _("This person can no longer enter."), service.deactivate_member, actor=request.member, member_id=pk)
    return redirect("members:people")


@require_POST
def member_reactivate(request: MemberRequest, pk: int) -> HttpResponse:
    """Let a member in again."""
    _say(request, _("This person can enter again."), service.reactivate_member, actor=request.member, member_id=pk)
    return redirect("members:people")


@require_POST
def team_create(request: MemberRequest) -> HttpResponse:
    """Make a team."""
    require(request.member, "member.manage")
    form = TeamForm(request.POST)
    if form.is_valid():
        try:
            service.create_team(actor=request.member, **form.cleaned_data)
            messages.success(request, _("Saved."))
            return redirect("members:people")
        except Invalid as error:
            form.add_error("name", str(error))
    return _people(request, team_form=form, status=422)


@require_http_methods(["GET", "POST"])
def settings(request: MemberRequest) -> HttpResponse:
    """Show and change the organization's name, time zone and currency."""
    require(request.member, "organization.manage")
    form = OrganizationSettingsForm(request.POST or None, instance=request.organization)
    if request.method == "POST" and form.is_valid():
        change_organization(actor=request.member, **form.cleaned_data)
        messages.success(request, _("Saved."))
        return redirect("members:settings")
    return render(request, "members/settings.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def organization_remove(request: MemberRequest) -> HttpResponse:
    """Remove a demo organization at once, another one after its address was typed."""
    require(request.member, "organization.manage")
    organization: Organization = request.organization
    if not organization.is_demo and request.POST.get("slug", "").strip() != organization.slug:
        messages.error(request, _("Type the address of the organization to remove it."))
        return redirect("members:settings")
    name = organization.name
    remove_organization(organization=organization)
    messages.success(request, _("%(name)s was removed.") % {"name": name})
    return HttpResponseRedirect(platform_reverse("home"))


@require_http_methods(["GET", "POST"])
@never_cache
def invitation(request: MemberRequest, slug: str, token: str) -> HttpResponse:
    """Show what a link invites to; a signed-in person accepts it with one button."""
    organization = Organization.objects.filter(slug=slug).first()
    if organization is None:
        raise Http404("no such organization")
    with in_organization(organization):
        try:
            found = service.find_invitation(token=token)
            if request.method == "POST" and request.user.is_authenticated:
                service.accept_invitation(token=token, user=request.user)
                request.session.pop(INVITATION_KEY, None)
                return HttpResponseRedirect(link_from(request.get_host(), organization, "crm:day"))
        except Missing as error:
            return render(request, "members/invitation_gone.html", {"message": error.message}, status=404)
        context = {"inviting": organization, "invitation": found, "role": found.get_role_display()}
        if not request.user.is_authenticated:
            request.session[INVITATION_KEY] = request.get_full_path()
        return render(request, "members/invitation.html", context)


def _say(request: MemberRequest, success: str, work, **arguments) -> None:  # type: ignore[no-untyped-def]
    """Do something and tell on the next page how it went; a missing right or thing is not softened."""
    try:
        work(**arguments)
    except AppError as error:
        if not isinstance(error, Invalid):
            raise
        messages.error(request, str(error))
    else:
        messages.success(request, success)


def _people(request: MemberRequest, status: int = 200, **extra: object) -> HttpResponse:
    context = {
        "members": Member.objects.select_related("team").order_by("-is_active", "name"),
        "teams": Team.objects.order_by("name"),
        "invitations": [
            invitation
            for invitation in Invitation.objects.select_related("created_by", "team").order_by("-pk")[:50]
            if invitation.is_open
        ],
        "invitation_form": InvitationForm(member=request.member),
        "team_form": TeamForm(),
        "member_form": MemberForm(),
        **extra,
    }
    return render(request, "members/people.html", context, status=status)
