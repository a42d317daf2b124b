"""What the ground hears from allauth."""

from typing import Any

from allauth.account.signals import email_changed
from django.dispatch import receiver

from tenants.models import User
from tenants.services import change_user


@receiver(email_changed)
def copy_email(sender: Any, user: User, to_email_address: Any, **kwargs: Any) -> None:
    """Copy a confirmed new e-mail to the login, and from there to each Member."""
    change_user(user=user, email=to_email_address.email.lower())
