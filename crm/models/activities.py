"""What happened around a lead: its timeline."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from crm.models.leads import Lead
from members.models import Member


class Activity(models.Model):
    """One line of a timeline. `verb` names the template that shows it: templates/crm/activity/<verb>.html."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="activities", db_index=False)
    actor = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    verb = models.CharField(max_length=40)
    text = models.TextField(blank=True)
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["lead", "-at", "-id"], name="activity_timeline")]
