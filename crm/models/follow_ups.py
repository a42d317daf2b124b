"""What somebody means to do next about a lead or a contact."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.models.leads import Lead
from crm.models.people import Contact
from members.models import Member

LONGEST_DAY = timedelta(hours=25)


class DueState(models.TextChoices):
    """How near the next step is, as people read it."""

    OVERDUE = "overdue", _("Overdue")
    TODAY = "today", _("Today")
    FUTURE = "future", _("Planned")
    NONE = "none", _("No next step")


def due_state(due_at: datetime | None, *, now: datetime) -> DueState:
    """Say how near an instant is, by the calendar of the time zone that is active."""
    if due_at is None:
        return DueState.NONE
    if due_at < now:
        return DueState.OVERDUE
    if due_at - now > LONGEST_DAY:  # spares a board most of the look-ups of time zones
        return DueState.FUTURE
    return DueState.TODAY if timezone.localdate(due_at) == timezone.localdate(now) else DueState.FUTURE


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    """Reads of follow-ups, as clauses."""

    def visible_to(self, member: Member) -> "FollowUpQuerySet":
        """Keep those of leads that the member sees, and of contacts that they see."""
        leads, contacts = Lead.objects.visible_to(member), Contact.objects.visible_to(member)
        return self.filter(
            Q(lead__isnull=False, lead__in=leads.values("pk")) | Q(lead=None, contact__in=contacts.values("pk"))
        )

    def open(self) -> "FollowUpQuerySet":
        """Keep what is neither done nor cancelled."""
        return self.filter(done_at=None, cancelled_at=None)


class FollowUp(models.Model):
    """One next step. Without a time of day it is due at the end of its day, where the organization is."""

    class Kind(models.TextChoices):
        CALL = "call", _("Call")
        MESSAGE = "message", _("Message")
        MEETING = "meeting", _("Meeting")
        TASK = "task", _("Task")

    kind = models.CharField(_("kind"), max_length=8, choices=Kind, default=Kind.CALL)
    title = models.CharField(_("what"), max_length=200, blank=True)
    note = models.TextField(_("note"), blank=True)
    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, null=True, related_name="follow_ups", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, null=True, related_name="follow_ups", db_index=False)
    owner = models.ForeignKey(
        Member, verbose_name=_("owner"), on_delete=models.PROTECT, related_name="follow_ups", db_index=False
    )
    due_at = models.DateTimeField()
    has_time = models.BooleanField(default=False)
    # Minutes before it is due; for a day without a time, before nine in the morning.
    reminder = models.PositiveIntegerField(_("reminder"), null=True)
    remind_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    done_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    cancelled_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(Member, on_delete=models.PROTECT, related_name="+", db_index=False)
    version = models.PositiveIntegerField(default=1)

    objects = FollowUpQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(lead__isnull=False) | Q(contact__isnull=False), name="follow_up_is_about_something"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["call", "message", "meeting", "task"]), name="follow_up_kind_known"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None, done_by=None) | Q(done_at__isnull=False, done_by__isnull=False),
                name="follow_up_done_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(cancelled_at=None), name="follow_up_done_or_cancelled"
            ),
            models.CheckConstraint(
                condition=Q(reminder=None, remind_at=None) | Q(reminder__isnull=False, remind_at__isnull=False),
                name="follow_up_reminder_has_instant",
            ),
        ]
        indexes = [
            models.Index(fields=["lead", "due_at"], name="follow_up_of_lead", condition=Q(lead__isnull=False)),
            models.Index(fields=["contact", "due_at"], name="follow_up_of_contact", condition=Q(contact__isnull=False)),
            models.Index(
                fields=["owner", "due_at"], name="follow_up_open", condition=Q(done_at=None, cancelled_at=None)
            ),
        ]

    def __str__(self) -> str:
        return self.title or str(self.get_kind_display())

    @property
    def is_open(self) -> bool:
        """Whether it is still to be done."""
        return self.done_at is None and self.cancelled_at is None

    @property
    def state(self) -> DueState:
        """Say how near it is now."""
        return due_state(self.due_at, now=timezone.now())
