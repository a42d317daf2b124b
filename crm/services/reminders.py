"""When somebody is reminded of a follow-up: owed with the follow-up, told as news at its instant."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils import timezone

from crm.models import FollowUp
from crm.signals import follow_up_due
from tenants.context import current_organization

# What a reminder counts from when a day has no time.
MORNING = time(9)


def reminder_instant(*, due_at: datetime, has_time: bool, minutes: int | None) -> datetime | None:
    """Return when to remind, by the organization's clock; None for no reminder."""
    if minutes is None:
        return None
    if not has_time:
        zone = ZoneInfo(current_organization().timezone)
        due_at = datetime.combine(due_at.astimezone(zone).date(), MORNING, tzinfo=zone)
    return due_at - timedelta(minutes=minutes)


def stamp(instant: datetime) -> int:
    """Write an instant as whole seconds: it names the reminder that was owed for it."""
    return int(instant.timestamp())


@transaction.atomic
def remind(*, follow_up_id: int, at: int) -> bool:
    """Send `follow_up_due` if this reminder still stands, once; return whether it was sent.

    A follow-up that was moved, done or cancelled in the meantime stays silent.
    """
    follow_up = (
        FollowUp.objects.open()
        .select_related("owner", "lead", "contact")
        .select_for_update(no_key=True, of=("self",))
        .filter(pk=follow_up_id, reminded_at=None, remind_at__isnull=False)
        .first()
    )
    if follow_up is None or follow_up.remind_at is None or stamp(follow_up.remind_at) != at:
        return False
    follow_up.reminded_at = timezone.now()
    follow_up.save(update_fields=["reminded_at"])
    follow_up_due.send(sender=FollowUp, follow_up=follow_up)
    return True
