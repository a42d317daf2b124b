"""The two sites: who may enter which, and what neither has."""

from datetime import timedelta
from functools import update_wrapper
from typing import Any

from allauth.account.decorators import secure_admin_login
from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache

from members.permissions import is_allowed, require
from tenants import heartbeat
from tenants.models import Due, Organization, SpareSchema

View = Any  # what the library calls any view
# Signing in, out and passwords are the account pages' business; the last two lead anywhere by content type.
LEFT_OUT = {"login", "logout", "password_change", "password_change_done", "view_on_site", "autocomplete"}


class Site(AdminSite):
    """A site without pages for signing in, without passwords, and without deleting in bulk."""

    enable_nav_sidebar = False
    final_catch_all_view = False
    index_template = "admin/index.html"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.disable_action("delete_selected")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [entry for entry in super().get_urls() if getattr(entry, "name", "") not in LEFT_OUT]

    def get_log_entries(self, request: HttpRequest) -> list[Any]:  # type: ignore[override]
        """Return nothing: the trail is AuditEntry, not the admin's own log."""
        return []


class OrganizationSite(Site):
    """For administrators of the organization that the request is in."""

    site_title = site_header = _("Administration")
    index_title = _("Administration")

    def has_permission(self, request: Any) -> bool:
        return request.member is not None and is_allowed(request.member, "organization.manage")

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        def inner(request: Any, *args: Any, **kwargs: Any) -> Any:
            require(request.member, "organization.manage")  # the middleware has let members in only
            return view(request, *args, **kwargs)

        return update_wrapper(inner if cacheable else never_cache(inner), view)


class PlatformSite(Site):
    """For staff of the platform, on the main host."""

    site_title = site_header = _("Platform")
    index_title = _("Platform")

    def index(self, request: HttpRequest, extra_context: Any = None) -> TemplateResponse:
        return super().index(request, {**(extra_context or {}), "health": _health()})

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        guarded: View = secure_admin_login(view)
        return update_wrapper(guarded if cacheable else never_cache(guarded), view)


def _health() -> list[tuple[Any, Any, str]]:
    """Return (label, value, tone) of what an operator looks at first."""
    late = Due.objects.filter(due_at__lte=timezone.now() - timedelta(minutes=5)).count()
    dead = Due.objects.filter(due_at=None).count()
    spares = SpareSchema.objects.count()
    workers = heartbeat.state()
    words = {"ok": _("at work"), "stalled": _("stalled"), "unknown": _("unknown")}
    return [
        (_("Workers"), words[workers], {"ok": "success", "stalled": "error", "unknown": "warning"}[workers]),
        (_("Work that waits for a person"), dead, "error" if dead else "success"),
        (_("Work late by over five minutes"), late, "warning" if late else "success"),
        (_("Spare schemas"), spares, "" if spares else "warning"),
        (_("Organizations"), Organization.objects.count(), ""),
    ]


organization_site = OrganizationSite("organization_admin")
platform_site = PlatformSite("platform_admin")
