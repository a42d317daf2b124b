"""Pages of the platform: the way in, one's organizations, one's profile."""

import secrets
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from core.errors import Invalid
from tenants import handover
from tenants import outbox as mail
from tenants.context import in_organization
from tenants.forms import INVITATION_KEY, OrganizationForm, ProfileForm
from tenants.models import Organization, User
from tenants.platform import is_host_of, is_known_host, link_from, platform_reverse
from tenants.services import change_user, organizations_of
from tenants.signals import user_signed_in


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
        return HttpResponseRedirect(link_from(request.get_host(), organizations[0], "crm:day"))
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
            return HttpResponseRedirect(link_from(request.get_host(), organization, "crm:day"))
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
        raise Invalid(_("This language is not available."))
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        back = platform_reverse("home")
    response = HttpResponseRedirect(back)
    if request.user.is_authenticated:
        change_user(user=request.user, language=language)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME, language, max_age=60 * 60 * 24 * 365, samesite="Lax", httponly=True
    )
    return response


@require_safe
@never_cache
def organization_enter(request: HttpRequest, slug: str) -> HttpResponse:
    """Begin, on an organization's host, to fetch the session of somebody who is signed in on another of ours."""
    organization = Organization.objects.filter(slug=slug).first()
    here, source = request.get_host().lower(), request.GET.get("from", "").lower()
    if organization is None or not is_host_of(organization, here):
        raise Http404("no such organization here")
    next_path = handover.safe_path(request.GET.get("next", "/"))
    known = request.user.is_authenticated and handover.is_member(request.user, organization)
    if known or source == here or not is_known_host(source):
        return HttpResponseRedirect(next_path)
    state = secrets.token_urlsafe(32)
    asked = {"slug": slug, "to": here, "state": handover.fingerprint(state), "next": next_path}
    back = f"{settings.PUBLIC_SCHEME}://{source}{platform_reverse('handover_give')}?{urlencode(asked)}"
    response = HttpResponseRedirect(back)
    response.set_cookie(
        handover.STATE_COOKIE,
        state,
        max_age=60,
        httponly=True,
        samesite="Lax",
        secure=settings.PUBLIC_SCHEME == "https",
    )
    return response


@require_safe
@never_cache
def handover_give(request: HttpRequest) -> HttpResponse:
    """Send somebody who is signed in here to another of our hosts with a token; others go there as they are."""
    organization = Organization.objects.filter(slug=request.GET.get("slug", "")).first()
    to, next_path = request.GET.get("to", ""), handover.safe_path(request.GET.get("next", "/"))
    if organization is None or not is_host_of(organization, to):
        raise Http404("no such way")
    site = f"{settings.PUBLIC_SCHEME}://{to.lower()}"
    if not request.user.is_authenticated:
        return HttpResponseRedirect(site + next_path)
    token = handover.give(
        user=request.user,  # type: ignore[arg-type]
        organization=organization,
        host=to,
        state_hash=request.GET.get("state", ""),
        next_path=next_path,
    )
    return HttpResponseRedirect(site + platform_reverse("handover_take", token))


@require_GET
@never_cache
def handover_take(request: HttpRequest, token: str) -> HttpResponse:
    """Sign somebody in with the token that another of our hosts gave them."""
    state = request.COOKIES.get(handover.STATE_COOKIE, "")
    user, organization, next_path = handover.take(token=token, host=request.get_host(), state=state)
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    with in_organization(organization):
        user_signed_in.send(sender=User, organization=organization, user=user)
    response = HttpResponseRedirect(next_path)
    response.delete_cookie(handover.STATE_COOKIE)
    return response


@require_safe
@never_cache
def tls_allowed(request: HttpRequest) -> HttpResponse:
    """Tell the proxy whether it may ask for a certificate for a host."""
    return HttpResponse(status=200 if is_known_host(request.GET.get("domain", "")) else 404)


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
