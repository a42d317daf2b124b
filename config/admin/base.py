"""What every admin of ours has in common: rights of members, changes by services, history from the trail."""

from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin, ShowFacets
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.paginator import Paginator
from django.db import models
from django.forms import ModelForm
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.text import capfirst

from core.errors import Invalid
from members.models import AuditEntry
from members.permissions import is_allowed

Names = tuple[Any, Any]


class BaseAdmin(ModelAdmin):  # type: ignore[type-arg]
    """A list and read-only pages; a subclass that can write names the services that do it.

    `names` and `labels` are what people read. They are set here and not on the models, where each would
    be a migration in every schema.
    """

    names: Names
    labels: dict[str, Any] = {}
    can_add = can_change = can_delete = False
    has_trail = False
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    actions: Any = None

    def __init__(self, model: type[models.Model], admin_site: Any) -> None:
        super().__init__(model, admin_site)
        model._meta.verbose_name, model._meta.verbose_name_plural = self.names
        for field, label in self.labels.items():
            model._meta.get_field(field).verbose_name = label  # type: ignore[union-attr]

    def create(self, request: Any, values: dict[str, Any]) -> models.Model:
        """Add a row by a service and return it."""
        raise NotImplementedError

    def change(self, request: Any, obj: Any, values: dict[str, Any]) -> None:
        """Change a row by services."""
        raise NotImplementedError

    def delete(self, request: Any, obj: Any) -> None:
        """Delete a row by a service."""
        raise NotImplementedError

    def may(self, request: Any) -> bool:
        """Say whether the person may be here at all."""
        raise NotImplementedError

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.may(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_add and self.may(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_change and self.may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_delete and self.may(request)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Filter by what the page offers only: by any field of a row, one could guess what is not shown."""
        field = lookup.partition("__")[0]
        return field in self.list_filter and super().lookup_allowed(lookup, value, request)

    def get_urls(self) -> list[URLPattern]:
        """Leave out the old address of a row, and every page of what cannot be done here."""
        can = {"history": self.has_trail, "add": self.can_add, "delete": self.can_delete}
        absent = {None, *(self._name(page) for page, there in can.items() if not there)}
        return [entry for entry in super().get_urls() if entry.name not in absent]

    def changeform_view(
        self, request: HttpRequest, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        has_trail = self.has_trail and object_id is not None
        context = {**(extra_context or {}), "has_trail": has_trail, "show_save_and_add_another": False}
        return self._or_back(request, super().changeform_view, object_id, form_url, context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        context = {**(extra_context or {}), "title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return self._or_back(request, super().delete_view, object_id, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: ModelForm, change: bool) -> None:  # type: ignore[type-arg]
        if change:
            self.change(request, obj, form.cleaned_data)
        else:
            obj.pk = self.create(request, form.cleaned_data).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.delete(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Name the row only: what goes with it is the service's rule, and may be a hundred thousand rows."""
        return [str(each) for each in objs], {}, set(), []

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Leave the log to the service."""

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> None:  # type: ignore[override]
        """Leave the log to the service."""

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:  # type: ignore[override]
        """Leave the log to the service."""

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show what the trail says about a row."""
        obj = self.get_object(request, object_id)
        if obj is None or not self.has_view_permission(request, obj):
            raise Http404("no such row")
        entries = AuditEntry.objects.filter(target=self.opts.model_name, target_id=obj.pk)
        page = Paginator(entries.select_related("actor").order_by("-pk"), 50).get_page(request.GET.get("p"))
        context = {
            **self.admin_site.each_context(request),
            "title": obj,
            "page": page,
            "opts": self.opts,
            "object": obj,
            "module_name": self.opts.verbose_name_plural,
        }
        request.current_app = self.admin_site.name  # type: ignore[attr-defined]
        return TemplateResponse(request, "admin/trail.html", context)

    def formfield_for_dbfield(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        """Choose from other rows without the buttons that would add or change them."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def _name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def _or_back(self, request: HttpRequest, view: Any, *args: Any) -> HttpResponse:
        """Show a page; what a service refuses is said on the form that asked for it."""
        try:
            return view(request, *args)  # type: ignore[no-any-return]
        except Invalid as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(request.get_full_path())


class OrganizationAdmin(BaseAdmin):
    """Rows of the organization that the request is in, for its administrators."""

    has_trail = True

    def may(self, request: Any) -> bool:
        return request.member is not None and is_allowed(request.member, "organization.manage")


class PlatformAdmin(BaseAdmin):
    """Rows of the platform, for its staff. What they do is on the trail of the organization it is about."""

    def may(self, request: Any) -> bool:
        return bool(request.organization is None and request.user.is_active and request.user.is_staff)
