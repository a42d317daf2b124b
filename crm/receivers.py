"""What the CRM hears from below."""

from typing import Any

from django.dispatch import receiver

from crm.services.pipelines import create_default_pipeline
from members.models import Member
from tenants.signals import organization_created


@receiver(organization_created)
def first_pipeline(sender: Any, **kwargs: Any) -> None:
    create_default_pipeline(actor=Member.objects.order_by("pk").first())
