"""The order of cards: who may change a column now, and which key puts a card where."""

from django.db.models import OuterRef, Q, Subquery

from crm.models import Lead, Stage
from crm.positions import REBALANCE_LENGTH, key_between, keys_between
from crm.services.news import announce_order

# The id of the lead right above another.
LEADS_ABOVE = Lead.objects.filter(stage=OuterRef("stage"), position__lt=OuterRef("position")).order_by("-position")
LEAD_ABOVE = Subquery(LEADS_ABOVE.values("pk")[:1])


def lock_columns(*stage_ids: int, of_lead: int | None = None) -> dict[int, Stage]:
    """Lock columns until the transaction ends, in a fixed order, and return their stages by id.

    `of_lead` names the column of a lead, too: as it was before the wait for the lock, so look again.
    The lock is NO KEY: it keeps other movers away, but not the foreign key check of an insert.
    """
    wanted = Q(pk__in=set(stage_ids))
    if of_lead is not None:
        wanted |= Q(pk__in=Lead.objects.filter(pk=of_lead).values("stage"))
    stages = Stage.objects.select_for_update(no_key=True, of=("self",)).select_related("pipeline").filter(wanted)
    return {stage.pk: stage for stage in stages.order_by("pk")}


def key_at_top(stage: Stage) -> str:
    """Return a key above the first card. The column must be locked."""
    first = _in_order(stage).values_list("position", flat=True).first()
    return key_between(None, first)


def key_after(stage: Stage, *, after_id: int | None, moving_id: int) -> str:
    """Return a key right below a card, as the column is now; at the top if that card has gone.

    The column must be locked. The moving card itself does not count as a neighbour.
    """
    others = _in_order(stage).exclude(pk=moving_id)
    if after_id:
        above = others.filter(pk=after_id).order_by().values("position")
        keys = list(others.filter(position__gte=above).values_list("position", flat=True)[:2])
        if keys:
            return key_between(keys[0], keys[1] if len(keys) > 1 else None)
    return key_between(None, others.values_list("position", flat=True).first())


def keys_at_end(stage: Stage, count: int) -> list[str]:
    """Return keys below the last card. The column must be locked."""
    last = _in_order(stage).values_list("position", flat=True).last()
    return keys_between(last, None, count)


def rebalance(stage: Stage) -> int:
    """Write a column's keys anew, short and even, and return how many. The column must be locked."""
    leads = list(_in_order(stage).only("pk", "position"))
    for lead, key in zip(leads, keys_between(None, None, len(leads)), strict=True):
        lead.position = key
    # One statement: the unique constraint is checked at its end, so keys may pass one another.
    Lead.objects.bulk_update(leads, ["position"])
    announce_order(pipeline_id=stage.pipeline_id, stage_ids=[stage.pk])
    return len(leads)


def is_worn(key: str) -> bool:
    """Say whether a key has become so long that its column should be rebalanced."""
    return len(key) > REBALANCE_LENGTH


def _in_order(stage: Stage):  # type: ignore[no-untyped-def]
    return Lead.objects.filter(stage=stage).order_by("position")
