"""What staff of the platform see and do: organizations, logins, hosts, and the work that is owed."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import SimpleListFilter, action, display, register
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from config.admin.base import PlatformAdmin
from config.admin.sites import platform_site
from core.errors import Invalid, Missing
from tenants import domains, jobs
from tenants.models import Domain, Due, Organization, SpareSchema, User


@register(Organization, site=platform_site)
class OrganizationListAdmin(PlatformAdmin):
    names = _("organization"), _("organizations")
    labels = {"schema_name": _("schema"), "is_demo": _("demo"), "created_at": _("since")}
    fields = ["name", "slug", "schema_name", "timezone", "currency", "is_demo", "created_at"]
    list_display = ["name", "slug", "is_demo", "created_at"]
    list_filter = ["is_demo"]
    search_fields = ["name", "slug", "schema_name"]
    ordering = ["name", "pk"]


@register(User, site=platform_site)
class UserAdmin(PlatformAdmin):
    """Logins without their passwords: those are changed by their owners only."""

    names = _("login"), _("logins")
    labels = {
        "is_active": _("may sign in"), "is_staff": _("platform staff"), "created_at": _("since"),
        "last_login": _("last sign-in"), "terms_version": _("accepted terms"),
    }  # fmt: skip
    fields = ["email", "name", "language", "is_active", "is_staff", "created_at", "last_login", "terms_version"]
    list_display = ["email", "name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff"]
    search_fields = ["email", "name"]
    ordering = ["email"]


class DomainForm(forms.ModelForm):  # type: ignore[type-arg]
    """A host name; the service says which are possible."""

    class Meta:
        model = Domain
        fields = ["domain", "tenant", "is_primary"]


@register(Domain, site=platform_site)
class DomainAdmin(PlatformAdmin):
    names = _("host"), _("hosts")
    labels = {"domain": _("host"), "tenant": _("organization"), "is_primary": _("links lead here")}
    can_add = can_delete = True
    form = DomainForm
    list_display = ["domain", "tenant", "is_primary"]
    list_select_related = ["tenant"]
    search_fields = ["domain", "tenant__name", "tenant__slug"]
    ordering = ["domain"]

    def create(self, request: Any, values: dict[str, Any]) -> Domain:
        return domains.add_domain(organization=values["tenant"], host=values["domain"], is_primary=values["is_primary"])

    def delete(self, request: Any, obj: Domain) -> None:
        domains.remove_domain(host=obj.domain)


class DeadFilter(SimpleListFilter):
    """Tell what waits for a person from what is still tried."""

    title = _("state")
    parameter_name = "state"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return [("dead", _("waits for a person")), ("tried", _("is tried again by itself"))]

    def queryset(self, request: Any, queryset: Any) -> Any:
        return queryset if self.value() is None else queryset.filter(due_at__isnull=self.value() == "dead")


@register(Due, site=platform_site)
class DueAdmin(PlatformAdmin):
    """Owed work of all organizations: what it is, not what it is about."""

    names = _("owed work"), _("owed work")
    labels = {
        "organization": _("organization"), "task": _("task"), "arguments": _("about"), "attempts": _("tries"),
        "due_at": _("next try"), "created_at": _("owed since"),
    }  # fmt: skip
    fields = ["organization", "task", "arguments", "attempts", "error", "due_at", "created_at"]
    readonly_fields = ["error"]
    list_display = ["task", "organization", "attempts", "error", "due_at", "created_at"]
    list_filter = [DeadFilter, "task"]
    list_select_related = ["organization"]
    search_fields = ["task", "organization__slug", "organization__name"]
    ordering = ["due_at", "pk"]
    actions = ["replay", "discard"]

    @display(description=_("last error"))
    def error(self, due: Due) -> str:
        """Show the first line: PostgreSQL puts values of the row into the others."""
        return due.last_error.partition("\n")[0]

    @action(description=_("Try again what waits for a person"))
    def replay(self, request: HttpRequest, queryset: Any) -> None:
        done = self._each(request, queryset, jobs.replay)
        messages.success(request, ngettext("%d is tried again.", "%d are tried again.", done) % done)

    @action(description=_("Give up what waits for a person"))
    def discard(self, request: HttpRequest, queryset: Any) -> None:
        done = self._each(request, queryset, jobs.discard)
        messages.success(request, ngettext("%d was given up.", "%d were given up.", done) % done)

    def _each(self, request: HttpRequest, queryset: Any, work: Any) -> int:
        """Settle chosen rows one by one and return how many; what refuses is said and left."""
        done = 0
        for due_id in queryset.values_list("pk", flat=True)[:500]:
            try:
                work(due_id=due_id, user=request.user)
                done += 1
            except (Invalid, Missing) as error:
                messages.warning(request, f"{due_id}: {error}")
        return done


@register(SpareSchema, site=platform_site)
class SpareSchemaAdmin(PlatformAdmin):
    names = _("spare schema"), _("spare schemas")
    labels = {"schema_name": _("schema"), "created_at": _("since")}
    list_display = ["schema_name", "created_at"]
    ordering = ["pk"]
