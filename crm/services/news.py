"""What boards are told: ids, versions and numbers, after commit."""

from collections.abc import Iterable

from structlog.contextvars import get_contextvars

from crm.models import Lead
from members.models import Member
from tenants.live import announce, topic


def announce_leads(*, pipeline_id: int, leads: Iterable[Lead], stage_ids: Iterable[int], actor: Member | None) -> None:
    """Tell a board that some leads changed and which columns' totals did."""
    announce(
        topic("board", pipeline_id),
        {
            "kind": "leads",
            "leads": [[lead.pk, lead.version] for lead in leads],
            "stages": sorted(set(stage_ids)),
            "by": actor.pk if actor else None,
            "request": get_contextvars().get("request", ""),
        },
    )


def announce_order(*, pipeline_id: int, stage_ids: Iterable[int]) -> None:
    """Tell a board that cards got other positions in an unchanged order: it draws its columns anew."""
    announce(
        topic("board", pipeline_id),
        {"kind": "order", "stages": sorted(set(stage_ids)), "by": None},
    )


def announce_bulk(*, pipeline_id: int, stage_ids: Iterable[int], actor: Member | None) -> None:
    """Tell a board that many leads changed: it offers to reload instead of asking for each."""
    announce(
        topic("board", pipeline_id),
        {"kind": "bulk", "stages": sorted(set(stage_ids)), "by": actor.pk if actor else None},
    )
