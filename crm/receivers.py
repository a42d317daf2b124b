"""What the CRM hears from below."""

from typing import Any

from django.dispatch import receiver

from crm.services.imports import move_files
from crm.services.pipelines import create_default_pipeline
from members.models import Member
from tenants.signals import organization_created, organization_restored


@receiver(organization_created)
def first_pipeline(sender: Any, **kwargs: Any) -> None:
    create_default_pipeline(actor=Member.objects.order_by("pk").first())


@receiver(organization_restored)
def point_to_uploads(sender: Any, old_schema: str, **kwargs: Any) -> None:
    move_files(old_schema=old_schema)
