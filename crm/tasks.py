"""Work on leads that may wait."""

from celery import shared_task
from django.db import transaction

from crm.services import columns


@shared_task
def rebalance_column(stage_id: int) -> int:
    """Write the keys of a worn column anew."""
    with transaction.atomic():
        stages = columns.lock_columns(stage_id)
        return columns.rebalance(stages[stage_id]) if stage_id in stages else 0
