"""What administrators of an organization see and change in its admin."""

from typing import Any

from django import forms
from django.contrib.admin import display, register
from django.utils.translation import gettext_lazy as _

from config.admin.base import OrganizationAdmin
from config.admin.sites import organization_site
from crm.models import Import, Pipeline, Stage, Tag
from crm.services import pipelines, tags
from members.models import AuditEntry, Member, Team
from members.services import people
from tenants.models import Due


@register(Member, site=organization_site)
class MemberAdmin(OrganizationAdmin):
    names = _("person"), _("people")
    labels = {"is_active": _("may enter"), "created_at": _("since"), "team": _("team")}
    can_change = True
    fields = ["name", "email", "role", "team", "is_active", "created_at"]
    readonly_fields = ["name", "email", "created_at"]
    list_display = ["name", "email", "role", "team", "is_active"]
    list_filter = ["role", "is_active", "team"]
    list_select_related = ["team"]
    search_fields = ["name", "email"]
    ordering = ["name", "pk"]

    def change(self, request: Any, obj: Member, values: dict[str, Any]) -> None:
        before = Member.objects.get(pk=obj.pk)
        team = values["team"].pk if values["team"] else None
        if (before.role, before.team_id) != (values["role"], team):
            people.change_member(actor=request.member, member_id=obj.pk, role=values["role"], team_id=team)
        if before.is_active and not values["is_active"]:
            people.deactivate_member(actor=request.member, member_id=obj.pk)
        elif values["is_active"] and not before.is_active:
            people.reactivate_member(actor=request.member, member_id=obj.pk)


@register(Team, site=organization_site)
class TeamAdmin(OrganizationAdmin):
    names = _("team"), _("teams")
    labels = {"created_at": _("since")}
    can_add = can_change = can_delete = True
    fields = ["name"]
    list_display = ["name", "created_at"]
    search_fields = ["name"]
    ordering = ["name"]

    def create(self, request: Any, values: dict[str, Any]) -> Team:
        return people.create_team(actor=request.member, **values)

    def change(self, request: Any, obj: Team, values: dict[str, Any]) -> None:
        people.rename_team(actor=request.member, team_id=obj.pk, **values)

    def delete(self, request: Any, obj: Team) -> None:
        people.delete_team(actor=request.member, team_id=obj.pk)


@register(Pipeline, site=organization_site)
class PipelineAdmin(OrganizationAdmin):
    names = _("pipeline"), _("pipelines")
    labels = {"order": _("order"), "created_at": _("since")}
    can_add = can_change = True
    list_display = ["name", "order", "created_at"]
    ordering = ["order", "pk"]

    def get_fields(self, request: Any, obj: Pipeline | None = None) -> Any:
        return ["name", "order"] if obj else ["name"]

    def create(self, request: Any, values: dict[str, Any]) -> Pipeline:
        return pipelines.create_pipeline(actor=request.member, **values)

    def change(self, request: Any, obj: Pipeline, values: dict[str, Any]) -> None:
        pipelines.change_pipeline(actor=request.member, pipeline_id=obj.pk, **values)


class StageForm(forms.ModelForm):  # type: ignore[type-arg]
    """A stage, with its place as people count."""

    place = forms.IntegerField(
        label=_("Place"), min_value=1, max_value=100, help_text=_("1 is the first column of the board.")
    )

    class Meta:
        model = Stage
        fields = ["pipeline", "name", "color"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["place"] = self.instance.order + 1
        elif "place" in self.fields:
            self.fields["place"].required = False
            self.fields["place"].help_text = _("Left empty: before the stage of won leads.")


@register(Stage, site=organization_site)
class StageAdmin(OrganizationAdmin):
    names = _("stage"), _("stages")
    labels = {"pipeline": _("pipeline"), "kind": _("kind"), "color": _("colour")}
    can_add = can_change = can_delete = True
    form = StageForm
    list_display = ["name", "pipeline", "place", "kind", "color"]
    list_filter = ["pipeline"]
    list_select_related = ["pipeline"]
    ordering = ["pipeline__order", "pipeline", "order"]

    @display(description=_("place"))
    def place(self, stage: Stage) -> int:
        return stage.order + 1

    def get_fields(self, request: Any, obj: Stage | None = None) -> Any:
        return ["pipeline", "name", "color", "place"]

    def get_readonly_fields(self, request: Any, obj: Stage | None = None) -> Any:
        return ["pipeline"] if obj else []

    def create(self, request: Any, values: dict[str, Any]) -> Stage:
        pipeline = values.pop("pipeline")
        return pipelines.create_stage(actor=request.member, pipeline_id=pipeline.pk, **values)

    def change(self, request: Any, obj: Stage, values: dict[str, Any]) -> None:
        pipelines.change_stage(actor=request.member, stage_id=obj.pk, **values)

    def delete(self, request: Any, obj: Stage) -> None:
        pipelines.delete_stage(actor=request.member, stage_id=obj.pk)


@register(Tag, site=organization_site)
class TagAdmin(OrganizationAdmin):
    names = _("tag"), _("tags")
    labels = {"color": _("colour")}
    can_change = can_delete = True
    fields = ["name", "color"]
    list_display = ["name", "color"]
    search_fields = ["name"]

    def change(self, request: Any, obj: Tag, values: dict[str, Any]) -> None:
        tags.change_tag(actor=request.member, tag_id=obj.pk, **values)

    def delete(self, request: Any, obj: Tag) -> None:
        tags.delete_tag(actor=request.member, tag_id=obj.pk)


@register(Import, site=organization_site)
class ImportAdmin(OrganizationAdmin):
    names = _("import"), _("imports")
    labels = {
        "original_name": _("file"), "status": _("state"), "total": _("rows"), "processed": _("done"),
        "created": _("new leads"), "skipped": _("skipped"), "failed": _("refused"), "error": _("error"),
        "created_by": _("by"), "created_at": _("uploaded"), "started_at": _("started"), "finished_at": _("finished"),
    }  # fmt: skip
    fields = list(labels)
    list_display = ["original_name", "status", "total", "created", "skipped", "failed", "created_by", "created_at"]
    list_filter = ["status"]
    list_select_related = ["created_by"]
    search_fields = ["original_name"]


@register(AuditEntry, site=organization_site)
class AuditEntryAdmin(OrganizationAdmin):
    names = _("entry of the trail"), _("entries of the trail")
    labels = {
        "at": _("when"), "actor": _("who"), "action": _("what"), "target": _("of what"), "target_id": _("number"),
        "request_id": _("request"), "facts": _("facts"),
    }  # fmt: skip
    has_trail = False
    fields = [*labels, "before", "after"]
    readonly_fields = ["before", "after"]
    list_display = ["at", "actor", "action", "target", "target_id"]
    list_display_links = ["at"]
    list_filter = ["target", "actor"]
    list_select_related = ["actor"]
    search_fields = ["action", "target", "request_id", "actor__name"]
    search_help_text = _("Part of an action such as lead.moved, a name, a request's number")
    ordering = ["-pk"]

    @display(description=_("before"))
    def before(self, entry: AuditEntry) -> Any:
        return entry.detail.before if hasattr(entry, "detail") else None

    @display(description=_("after"))
    def after(self, entry: AuditEntry) -> Any:
        return entry.detail.after if hasattr(entry, "detail") else None


@register(Due, site=organization_site)
class OwnWorkAdmin(OrganizationAdmin):
    """Owed work of this organization only: the rows of all lie in one public table."""

    names = _("owed work"), _("owed work")
    labels = {
        "task": _("task"), "arguments": _("about"), "attempts": _("tries"), "last_error": _("last error"),
        "due_at": _("next try"), "created_at": _("owed since"),
    }  # fmt: skip
    fields = list(labels)
    list_display = ["task", "attempts", "last_error", "due_at", "created_at"]
    ordering = ["due_at", "pk"]

    def get_queryset(self, request: Any) -> Any:
        return super().get_queryset(request).filter(organization=request.organization)
