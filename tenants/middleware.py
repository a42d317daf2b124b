"""Find the organization of a request, and the person's language."""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_script_prefix, set_script_prefix
from django.utils import timezone, translation

from tenants.context import enter, leave
from tenants.models import SLUG, Organization
from tenants.platform import is_platform_view

Next = Callable[[HttpRequest], HttpResponse]


class PreferenceMiddleware:
    """Speak the signed-in person's language; for others LocaleMiddleware has read the browser's."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.user.is_authenticated and request.user.language:
            translation.activate(request.user.language)
            request.LANGUAGE_CODE = request.user.language  # type: ignore[attr-defined]
        return self.get_response(request)


class OrganizationMiddleware:
    """Enter the organization that host or path names, for the length of the request.

    `/o/<slug>/…` on the main host: the prefix is cut from `path_info` and becomes the script prefix,
    so that every `reverse` inside keeps it. A Domain row: the host alone says it. A host that is
    neither is refused. Inside a prefix the platform's own pages do not exist.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        before = get_script_prefix()
        organization, prefix = find_organization(host=request.get_host(), path=request.path_info)
        request.organization = organization  # type: ignore[attr-defined]
        request.in_prefix = bool(prefix)  # type: ignore[attr-defined]
        if organization is None:
            leave()
            return self.get_response(request)
        if prefix:
            request.path_info = request.path_info[len(prefix) - 1 :]
            set_script_prefix(prefix)
        enter(organization)
        timezone.activate(organization.timezone)
        structlog.contextvars.bind_contextvars(organization=organization.slug)
        try:
            return self.get_response(request)
        finally:
            leave()
            timezone.deactivate()
            set_script_prefix(before)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        if request.in_prefix and is_platform_view(request.resolver_match):  # type: ignore[attr-defined]
            raise Http404("a page of the platform, below an organization")


def find_organization(*, host: str, path: str) -> tuple[Organization | None, str]:
    """Return (organization or None, path prefix that named it) for a host and a path.

    Raises Http404 for an unknown slug. The host has passed ALLOWED_HOSTS; one that is not the main
    host and belongs to nobody serves the platform's pages in development only.
    """
    if path.startswith("/o/"):
        slug = path[3:].partition("/")[0]
        prefix = f"/o/{slug}/"
        if is_main_host(host) and SLUG.fullmatch(slug) and path.startswith(prefix):
            organization = Organization.objects.filter(slug=slug).first()
            if organization is not None:
                return organization, prefix
        raise Http404("no such organization")
    if is_main_host(host):
        return None, ""
    organization = Organization.objects.filter(domains__domain=host.lower()).first()
    if organization is None:
        raise Http404("no such host")
    return organization, ""


def is_main_host(host: str) -> bool:
    """Say whether a Host header names the main site.

    In development any loopback name and port will do, since `--host` and `--port` are free there.
    """
    host = host.lower()
    if host == settings.MAIN_HOST.lower():
        return True
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    return settings.LOVED_ENV != "production" and name in {"localhost", "127.0.0.1", "[::1]", "testserver"}
