"""What the people floor hears from the ground."""

from typing import Any

from django.dispatch import receiver

from members.services.people import add_owner, copy_user
from tenants.models import User
from tenants.signals import organization_created, user_changed


@receiver(organization_created)
def first_member(sender: Any, owner: User, **kwargs: Any) -> None:
    add_owner(user=owner)


@receiver(user_changed)
def copy_to_member(sender: Any, user: User, **kwargs: Any) -> None:
    copy_user(user=user)
