"""What happened around a lead or a contact: its timeline."""

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Q
from django.utils import timezone

from crm.models.leads import Lead
from crm.models.people import Contact
from members.models import Member


class Activity(models.Model):
    """One line of a timeline, of a lead or of a contact by itself.

    `verb` names the template that shows it: templates/crm/activity/<verb>.html.
    """

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, null=True, related_name="activities", db_index=False)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, null=True, related_name="activities", db_index=False)
    actor = models.ForeignKey(Member, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    verb = models.CharField(max_length=40)
    text = models.TextField(blank=True)
    facts = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(lead=None, contact__isnull=False) | Q(lead__isnull=False, contact=None),
                name="activity_is_about_one",
            ),
        ]
        indexes = [
            models.Index(fields=["lead", "-at", "-id"], name="activity_timeline"),
            models.Index(fields=["contact", "-at"], name="activity_of_contact", condition=Q(contact__isnull=False)),
        ]
