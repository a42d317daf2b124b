"""Pipelines of an organization."""

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid, Missing
from crm.models import Import, Lead, Pipeline, Stage
from crm.services.news import announce_bulk
from members.models import Member
from members.permissions import require
from members.services import audit

# The product's first language names what every organization starts with.
DEFAULT_PIPELINE = "Funil comercial"
DEFAULT_STAGES = [
    ("Lead", Stage.Color.BLUE, Stage.Kind.OPEN),
    ("Contato", Stage.Color.VIOLET, Stage.Kind.OPEN),
    ("Proposta", Stage.Color.AMBER, Stage.Kind.OPEN),
    ("Negociação", Stage.Color.TEAL, Stage.Kind.OPEN),
    ("Fechado", Stage.Color.GREEN, Stage.Kind.WON),
]


@transaction.atomic
def create_default_pipeline(*, actor: Member | None) -> Pipeline:
    """Give a new organization the pipeline that most begin with."""
    return _create(actor=actor, name=DEFAULT_PIPELINE, order=0)


@transaction.atomic
def create_pipeline(*, actor: Member, name: str) -> Pipeline:
    """Add a pipeline after the others, with the stages that every first one has."""
    require(actor, "pipeline.manage")
    last = Pipeline.objects.last()
    return _create(actor=actor, name=_clean_name(name), order=last.order + 1 if last else 0)


@transaction.atomic
def change_pipeline(*, actor: Member, pipeline_id: int, name: str, order: int) -> Pipeline:
    """Change a pipeline's name and its place among the others; the smallest is the first one."""
    require(actor, "pipeline.manage")
    pipeline = _locked_pipeline(pipeline_id)
    before = {"name": pipeline.name, "order": pipeline.order}
    pipeline.name, pipeline.order = _clean_name(name), order
    pipeline.save(update_fields=["name", "order"])
    after = {"name": pipeline.name, "order": order}
    audit.record(actor=actor, action="pipeline.changed", target=pipeline, before=before, after=after)
    announce_bulk(pipeline_id=pipeline.pk, stage_ids=[], actor=actor)
    return pipeline


@transaction.atomic
def create_stage(*, actor: Member, pipeline_id: int, name: str, color: str, place: int | None = None) -> Stage:
    """Add an open stage at a place counted from one; without a place before the stage of won leads."""
    require(actor, "pipeline.manage")
    pipeline = _locked_pipeline(pipeline_id)
    stages = list(pipeline.stages.all())
    if place is None:
        place = next((number for number, each in enumerate(stages, 1) if each.kind == Stage.Kind.WON), len(stages) + 1)
    stage = Stage.objects.create(
        pipeline=pipeline, name=_clean_name(name), color=_known_color(color), order=_free_order(stages)
    )
    _put(stage, at=place, among=stages)
    audit.record(actor=actor, action="stage.created", target=stage, pipeline=pipeline.pk, after={"name": stage.name})
    announce_bulk(pipeline_id=pipeline.pk, stage_ids=[stage.pk], actor=actor)
    return stage


@transaction.atomic
def change_stage(*, actor: Member, stage_id: int, name: str, color: str, place: int) -> Stage:
    """Change a stage's name, colour and place among its pipeline's stages, counted from one."""
    require(actor, "pipeline.manage")
    stage, stages = _with_siblings(stage_id)
    before = {"name": stage.name, "color": stage.color, "place": 1 + sum(each.order < stage.order for each in stages)}
    stage.name, stage.color = _clean_name(name), _known_color(color)
    stage.save(update_fields=["name", "color"])
    _put(stage, at=place, among=stages)
    after = {"name": stage.name, "color": stage.color, "place": place}
    audit.record(actor=actor, action="stage.changed", target=stage, before=before, after=after)
    announce_bulk(pipeline_id=stage.pipeline_id, stage_ids=[stage.pk], actor=actor)
    return stage


@transaction.atomic
def delete_stage(*, actor: Member, stage_id: int) -> None:
    """Delete an open stage in which no lead is, archived ones included. The last open one stays."""
    require(actor, "pipeline.manage")
    stage, others = _with_siblings(stage_id)
    if stage.kind == Stage.Kind.WON:
        raise Invalid(_("The stage of won leads cannot be deleted."))
    if not any(each.kind == Stage.Kind.OPEN for each in others):
        raise Invalid(_("A pipeline needs at least one open stage."))
    if Lead.objects.filter(stage=stage).exists():
        raise Invalid(_("There are leads in this stage, perhaps archived ones. Move them first."))
    if Import.objects.filter(status__in=[Import.Status.QUEUED, Import.Status.RUNNING]).exists():
        raise Invalid(_("Wait until the import is done."))
    audit.record(actor=actor, action="stage.deleted", target=stage, before={"name": stage.name})
    announce_bulk(pipeline_id=stage.pipeline_id, stage_ids=[], actor=actor)
    stage.delete()


def default_pipeline() -> Pipeline:
    """Return the first pipeline."""
    pipeline = Pipeline.objects.first()
    if pipeline is None:
        raise Missing
    return pipeline


def _create(*, actor: Member | None, name: str, order: int) -> Pipeline:
    pipeline = Pipeline.objects.create(name=name, order=order)
    Stage.objects.bulk_create(
        Stage(pipeline=pipeline, name=stage, color=color, kind=kind, order=number)
        for number, (stage, color, kind) in enumerate(DEFAULT_STAGES)
    )
    audit.record(actor=actor, action="pipeline.created", target=pipeline)
    return pipeline


def _locked_pipeline(pipeline_id: int) -> Pipeline:
    """Lock a pipeline, and with it the order of its stages."""
    pipeline = Pipeline.objects.select_for_update(no_key=True).filter(pk=pipeline_id).first()
    if pipeline is None:
        raise Missing
    return pipeline


def _with_siblings(stage_id: int) -> tuple[Stage, list[Stage]]:
    """Lock a stage and its pipeline; return it and the pipeline's other stages in order."""
    found = Stage.objects.filter(pk=stage_id).first()
    if found is None:
        raise Missing
    _locked_pipeline(found.pipeline_id)
    stage = Stage.objects.select_for_update().filter(pk=stage_id).first()
    if stage is None:
        raise Missing
    return stage, list(Stage.objects.filter(pipeline=stage.pipeline_id).exclude(pk=stage_id))


def _put(stage: Stage, *, at: int, among: list[Stage]) -> None:
    """Give a pipeline's stages new numbers with one of them at a place. They are compared at commit."""
    place = max(0, min(at - 1, len(among)))
    for number, each in enumerate([*among[:place], stage, *among[place:]]):
        if each.order != number:
            each.order = number
            each.save(update_fields=["order"])


def _free_order(stages: list[Stage]) -> int:
    return max((stage.order for stage in stages), default=-1) + 1


def _clean_name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 60:
        raise Invalid(_("A name has 1 to 60 characters."))
    return name


def _known_color(color: str) -> str:
    if color not in Stage.Color.values:
        raise Invalid(_("Choose a colour."))
    return color
