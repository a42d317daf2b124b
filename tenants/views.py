"""Pages of the platform: the way in, one's organizations, one's profile."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Invalid
from tenants import outbox as mail
from tenants.forms import INVITATION_KEY, OrganizationForm, ProfileForm
from tenants.platform import platform_reverse
from tenants.services import change_user, organizations_of


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Send people to where they belong: an invitation they followed, their organization, the switcher."""
    if request.organization is not None:  # type: ignore[attr-defined]
        return redirect("crm:day")
    if not request.user.is_authenticated:
        return render(request, "tenants/landing.html")
    if path := request.session.pop(INVITATION_KEY, None):
        return HttpResponseRedirect(path)
    organizations = organizations_of(request.user)
    if len(organizations) == 1:
        return HttpResponseRedirect(organizations[0].link("crm:day"))
    return redirect("organization_list")


@require_safe
@login_required
def organization_list(request: HttpRequest) -> HttpResponse:
    """Show one's organizations."""
    return render(request, "tenants/organizations.html", {"own": organizations_of(request.user)})  # type: ignore[arg-type]


@require_http_methods(["GET", "POST"])
@login_required
def organization_new(request: HttpRequest) -> HttpResponse:
    """Begin another organization."""
    form = OrganizationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        organization = form.create(request.user)  # type: ignore[arg-type]
        if organization:
            return HttpResponseRedirect(organization.link("crm:day"))
    return render(request, "tenants/organization_new.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
@login_required
def profile(request: HttpRequest) -> HttpResponse:
    """Show and change one's own name, language and theme."""
    form = ProfileForm(request.POST or None, instance=request.user)
    if request.method == "POST" and form.is_valid():
        change_user(user=request.user, **form.cleaned_data)  # type: ignore[arg-type]
        with translation.override(form.cleaned_data["language"] or None):
            messages.success(request, _("Saved."))
        return redirect("profile")
    return render(request, "tenants/profile.html", {"form": form}, status=422 if form.errors else 200)


@require_POST
def set_language(request: HttpRequest) -> HttpResponse:
    """Speak another language: remembered with the login, or in a cookie for somebody without one."""
    language = request.POST.get("language", "")
    if language not in dict(settings.LANGUAGES):
        raise Invalid(_("This language is not spoken here."))
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = platform_reverse("home")
    response = HttpResponseRedirect(back)
    if request.user.is_authenticated:
        change_user(user=request.user, language=language)
    response.set_cookie(settings.LANGUAGE_COOKIE_NAME, language, max_age=60 * 60 * 24 * 365, samesite="Lax", httponly=True)
    return response


@require_safe
def terms(request: HttpRequest) -> HttpResponse:
    """Show the terms of use."""
    return render(request, "tenants/terms.html")


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Show the privacy notice."""
    return render(request, "tenants/privacy.html")


@require_safe
def outbox(request: HttpRequest) -> HttpResponse:
    """Show, in development, the e-mails that would have been sent."""
    _only_with_outbox()
    return render(request, "tenants/outbox.html", {"mails": mail.messages()})


@require_safe
def outbox_message(request: HttpRequest, name: str) -> HttpResponse:
    """Show one of those e-mails."""
    _only_with_outbox()
    message = mail.find(name)
    if message is None:
        raise Http404("no such message")
    return render(request, "tenants/outbox_message.html", {"mail": message})


def _only_with_outbox() -> None:
    if not settings.HAS_OUTBOX:
        raise Http404("mail is really sent here")
