"""What is to be done next: for a board's cards, for a lead or a contact, and for a person's day."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Exists, Min, OuterRef, Q
from django.db.models.expressions import RawSQL
from django.utils import timezone

from crm.models import Contact, FollowUp, FollowUpQuerySet, Lead
from members.models import Member

NEXT_DAYS = 7
MOST_STEPS = 50
# Leads for which nothing is planned.
HAS_NO_STEP = Q(~Exists(FollowUp.objects.open().filter(lead=OuterRef("pk"))))


def next_due_of(lead_ids: Iterable[int]) -> dict[int, datetime]:
    """Return when the next step of each lead is due; leads without one are left out. One query."""
    # As one array: hundreds of parameters would cost more than the query.
    wanted = RawSQL("SELECT unnest(%s::bigint[])", [list(lead_ids)])
    steps = FollowUp.objects.open().filter(lead__in=wanted).order_by()
    return dict(steps.values("lead").annotate(next=Min("due_at")).values_list("lead", "next"))


def steps_of_lead(lead: Lead) -> list[FollowUp]:
    """Return the open follow-ups of a lead, the next one first."""
    return list(lead.follow_ups.open().select_related("owner").order_by("due_at", "pk")[:MOST_STEPS])


def steps_of_contact(contact: Contact, *, member: Member) -> list[FollowUp]:
    """Return the open follow-ups of a contact and of those of its leads that a member sees, the next one first."""
    leads = Lead.objects.visible_to(member).current().filter(contact=contact)
    steps = FollowUp.objects.open().filter(Q(contact=contact) | Q(lead__in=leads.values("pk")))
    return list(steps.select_related("owner", "lead").order_by("due_at", "pk")[:MOST_STEPS])


@dataclass
class Group:
    """The follow-ups of one part of the agenda, as many as are shown, and how many there are."""

    name: str
    count: int = 0
    steps: list[FollowUp] = field(default_factory=list)

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.count - len(self.steps)


def agenda_of(member: Member, *, now: datetime) -> list[Group]:
    """Return a member's own open follow-ups: overdue, today, and the next seven days. `now` is local."""
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    tomorrow = _days_after(midnight, 1)
    tomorrow, last = _days_after(midnight, 1), _days_after(midnight, NEXT_DAYS + 1)
    steps = _own(member)
    counts = steps.aggregate(
        overdue=Count("pk", filter=Q(due_at__lt=now)),
        today=Count("pk", filter=Q(due_at__gte=now, due_at__lt=tomorrow)),
        next=Count("pk", filter=Q(due_at__gte=tomorrow, due_at__lt=last)),
    )
    groups = {name: Group(name, count) for name, count in counts.items()}
    rows = steps.select_related("owner", "lead__company", "lead__contact", "contact__company").order_by("due_at", "pk")
    if groups["overdue"].count:
        groups["overdue"].steps = list(rows.filter(due_at__lt=now)[:MOST_STEPS])
    if groups["today"].count or groups["next"].count:
        for step in rows.filter(due_at__gte=now, due_at__lt=last)[:MOST_STEPS]:
            groups["today" if step.due_at < tomorrow else "next"].steps.append(step)
    return [groups[name] for name in ("overdue", "today", "next")]


def _own(member: Member) -> FollowUpQuerySet:
    """Return what a member has to do, as far as they still see what it is about and it is not put away."""
    current = Q(lead__isnull=False, lead__archived_at=None) | Q(lead=None, contact__archived_at=None)
    return FollowUp.objects.open().visible_to(member).filter(current, owner=member)


def _days_after(midnight: datetime, days: int) -> datetime:
    """Return a later midnight by the calendar: a day may have 23 or 25 hours."""
    naive = midnight.replace(tzinfo=None) + timedelta(days=days)
    return timezone.make_aware(naive)
