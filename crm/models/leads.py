"""Leads, their tags, and the trail of their stages."""

from collections.abc import Iterable
from decimal import Decimal

from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.models.people import Company, Contact
from crm.models.pipelines import Pipeline, Stage
from members.models import Member
from members.permissions import Reach, reach
from tenants.models import CURRENCIES


class Tag(models.Model):
    """A word that leads are sorted by."""

    name = models.CharField(_("name"), max_length=40)
    color = models.CharField(max_length=8, choices=Stage.Color, default=Stage.Color.SLATE)

    class Meta:
        ordering = [Lower("name")]
        constraints = [models.UniqueConstraint(Lower("name"), name="tag_name_any_case")]

    def __str__(self) -> str:
        return self.name


class LeadQuerySet(models.QuerySet["Lead"]):
    """Reads of leads, as clauses."""

    def visible_to(self, member: Member) -> "LeadQuerySet":
        """Keep what the member's role shows: own and unowned, their team's, or all."""
        how_far = reach(member, "lead.view")
        if how_far is None:
            return self.none()
        if how_far is Reach.ALL:
            return self
        mine = Q(owner=None) | Q(owner=member)
        if how_far is Reach.TEAM and member.team_id:
            mine |= Q(owner__team=member.team_id)
        return self.filter(mine)

    def current(self) -> "LeadQuerySet":
        """Leave archived leads out."""
        return self.filter(archived_at=None)

    def open(self) -> "LeadQuerySet":
        """Keep current leads that are neither won nor lost."""
        return self.filter(archived_at=None, outcome=Lead.Outcome.OPEN)

    def on_board(self, pipeline: Pipeline) -> "LeadQuerySet":
        """Keep what a pipeline's board shows: open and won leads that are not archived."""
        return self.in_columns(Stage.objects.filter(pipeline=pipeline))

    def in_columns(self, stages: Iterable[Stage]) -> "LeadQuerySet":
        """Keep what these columns of a board show."""
        return self.filter(stage__in=stages, archived_at=None).exclude(outcome=Lead.Outcome.LOST)

    def matching(self, text: str) -> "LeadQuerySet":
        """Keep leads in which every word occurs, accents and case aside: title, company, person."""
        found = self
        for word in text.split()[:6]:
            found = found.filter(
                Q(title__unaccent__icontains=word)
                | Q(company__name__unaccent__icontains=word)
                | Q(contact__name__unaccent__icontains=word)
                | Q(contact__email__icontains=word)
                | Q(contact__phone__contains=word)
                | Q(external_id=word)
            )
        return found


class Lead(models.Model):
    """A chance to sell. `version` counts every change and settles who was first."""

    class Outcome(models.TextChoices):
        OPEN = "open", _("Open")
        WON = "won", _("Won")
        LOST = "lost", _("Lost")

    title = models.CharField(_("title"), max_length=200)
    value = models.DecimalField(
        _("value"), max_digits=14, decimal_places=2, null=True, blank=True, validators=[MinValueValidator(Decimal(0))]
    )
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES, default="BRL")
    source = models.CharField(_("source"), max_length=80, blank=True)
    owner = models.ForeignKey(
        Member, verbose_name=_("owner"), on_delete=models.PROTECT, null=True, blank=True, related_name="leads"
    )
    contact = models.ForeignKey(
        Contact, verbose_name=_("contact"), on_delete=models.PROTECT, null=True, blank=True, related_name="leads"
    )
    company = models.ForeignKey(
        Company, verbose_name=_("company"), on_delete=models.PROTECT, null=True, blank=True, related_name="leads"
    )
    stage = models.ForeignKey(Stage, verbose_name=_("stage"), on_delete=models.PROTECT, related_name="leads")
    position = models.CharField(max_length=64, db_collation="C")
    tags = models.ManyToManyField(Tag, verbose_name=_("tags"), blank=True, related_name="leads")
    expected_close = models.DateField(_("expected close"), null=True, blank=True)
    outcome = models.CharField(max_length=4, choices=Outcome, default=Outcome.OPEN)
    loss_reason = models.CharField(_("loss reason"), max_length=200, blank=True)
    external_id = models.CharField(_("external id"), max_length=120, blank=True)
    # Columns of an import that have no field here, as {heading: value}.
    extra = models.JSONField(default=dict, blank=True, encoder=DjangoJSONEncoder)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    created_by = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)
    stage_since = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    objects = LeadQuerySet.as_manager()

    # Set by the service that moves a lead: the stage it was in, and the id of the lead that was right above.
    came_from: tuple[Stage, int | None]

    class Meta:
        constraints = [
            # Checked at the end of a statement, so that a column can be renumbered in one.
            models.UniqueConstraint(
                fields=["stage", "position"], name="lead_position_once", deferrable=models.Deferrable.IMMEDIATE
            ),
            models.UniqueConstraint(fields=["external_id"], name="lead_external_id_once", condition=~Q(external_id="")),
            models.CheckConstraint(condition=Q(value=None) | Q(value__gte=0), name="lead_value_not_negative"),
            models.CheckConstraint(condition=~Q(title=""), name="lead_has_title"),
            models.CheckConstraint(condition=~Q(position=""), name="lead_has_position"),
            models.CheckConstraint(
                condition=Q(outcome="open", closed_at=None) | Q(outcome__in=["won", "lost"], closed_at__isnull=False),
                name="lead_closed_has_date",
            ),
            models.CheckConstraint(condition=Q(outcome="lost") | Q(loss_reason=""), name="lead_loss_reason_when_lost"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="lead_newest", condition=Q(archived_at=None)),
        ]

    def __str__(self) -> str:
        return self.title


class StageChange(models.Model):
    """A lead came to a stage. Names are kept as they were."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="stage_changes")
    from_stage = models.ForeignKey(Stage, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    to_stage = models.ForeignKey(Stage, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    from_name = models.CharField(max_length=60, blank=True)
    to_name = models.CharField(max_length=60)
    actor = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    is_undo = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now, db_index=True)
