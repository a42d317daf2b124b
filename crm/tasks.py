"""Work on leads that may wait."""

from celery import shared_task
from django.db import transaction

from crm.services import columns, import_revert, import_run, reminders


@shared_task  # type: ignore[untyped-decorator]
def rebalance_column(stage_id: int) -> int:
    """Write the keys of a worn column anew."""
    with transaction.atomic():
        stages = columns.lock_columns(stage_id)
        return columns.rebalance(stages[stage_id]) if stage_id in stages else 0


@shared_task  # type: ignore[untyped-decorator]
def run_import(import_id: int) -> None:
    """Bring an import to its end."""
    import_run.run_import(import_id)


@shared_task  # type: ignore[untyped-decorator]
def revert_import(import_id: int) -> None:
    """Take an import back, or bring it back, to the end."""
    import_revert.run_revert(import_id)


@shared_task  # type: ignore[untyped-decorator]
def remind_follow_up(follow_up_id: int, instant: int) -> bool:
    """Remind somebody of a follow-up, if the reminder of this instant still stands."""
    return reminders.remind(follow_up_id=follow_up_id, at=instant)
