"""Pipelines of an organization."""

from django.db import transaction

from core.errors import Missing
from crm.models import Pipeline, Stage
from members.models import Member
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
    pipeline = Pipeline.objects.create(name=DEFAULT_PIPELINE)
    Stage.objects.bulk_create(
        Stage(pipeline=pipeline, name=name, color=color, kind=kind, order=order)
        for order, (name, color, kind) in enumerate(DEFAULT_STAGES)
    )
    audit.record(actor=actor, action="pipeline.created", target=pipeline)
    return pipeline


def default_pipeline() -> Pipeline:
    """Return the first pipeline."""
    pipeline = Pipeline.objects.first()
    if pipeline is None:
        raise Missing
    return pipeline
