"""Pipelines and their stages."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Pipeline(models.Model):
    """A way that leads go, stage by stage."""

    name = models.CharField(_("name"), max_length=60)
    order = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return self.name


class Stage(models.Model):
    """One column of a board. Its row is the column's lock: see `crm.services.columns`."""

    class Kind(models.TextChoices):
        OPEN = "open", _("Open")
        WON = "won", _("Won")

    class Color(models.TextChoices):
        SLATE = "slate", _("Slate")
        BLUE = "blue", _("Blue")
        VIOLET = "violet", _("Violet")
        AMBER = "amber", _("Amber")
        TEAL = "teal", _("Teal")
        GREEN = "green", _("Green")
        PINK = "pink", _("Pink")
        RED = "red", _("Red")

    pipeline = models.ForeignKey(Pipeline, on_delete=models.PROTECT, related_name="stages")
    name = models.CharField(_("name"), max_length=60)
    order = models.PositiveSmallIntegerField(default=0)
    kind = models.CharField(max_length=4, choices=Kind, default=Kind.OPEN)
    color = models.CharField(max_length=8, choices=Color, default=Color.SLATE)

    class Meta:
        ordering = ["order", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["pipeline", "order"], name="stage_order_once", deferrable=models.Deferrable.DEFERRED
            ),
            models.CheckConstraint(condition=models.Q(kind__in=["open", "won"]), name="stage_kind_known"),
        ]

    def __str__(self) -> str:
        return self.name
