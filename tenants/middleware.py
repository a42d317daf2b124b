"""Find the organization of a request, and the person's language."""

import logging
from collections.abc import Callable

import structlog
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import get_callable, get_script_prefix, set_script_prefix
from django.utils import timezone, translation

from tenants.context import enter, leave
from tenants.platform import find_organization, is_own_origin, is_platform_view, is_staff_view

log = logging.getLogger(__name__)
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

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> HttpResponse | None:
        origin = request.headers.get("Origin", "")
        if origin and request.method not in {"GET", "HEAD", "OPTIONS", "TRACE"} and not self._may_post(request, origin):
            log.warning("a form came from another site", extra={"origin": origin[:200]})
            refuse: Callable[..., HttpResponse] = get_callable(settings.CSRF_FAILURE_VIEW)
            return refuse(request, reason="origin")
        match = request.resolver_match
        # Below a prefix the first page is the organization's: members go on to their day.
        if request.in_prefix and is_platform_view(match) and match.view_name != "home":  # type: ignore[attr-defined,union-attr]
            raise Http404("a page of the platform, below an organization")
        if request.organization is not None and is_staff_view(match):  # type: ignore[attr-defined]
            raise Http404("a page of the platform's staff, on an organization's host")
        return None

    def _may_post(self, request: HttpRequest, origin: str) -> bool:
        return is_own_origin(origin, host=request.get_host()) or origin in settings.CSRF_TRUSTED_ORIGINS
