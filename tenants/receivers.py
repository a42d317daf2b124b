"""What the ground hears from allauth."""

from typing import Any

from allauth.account.signals import email_changed, user_logged_in
from django.dispatch import receiver

from tenants.models import User
from tenants.services import change_user, tell_of_sign_in


@receiver(email_changed)
def copy_email(sender: Any, user: User, to_email_address: Any, **kwargs: Any) -> None:
    """Copy a confirmed new e-mail to the login, and from there to each Member."""
    change_user(user=user, email=to_email_address.email.lower())


@receiver(user_logged_in)
def note_sign_in(sender: Any, user: User, **kwargs: Any) -> None:
    """Tell each organization of the user, so that its trail knows."""
    tell_of_sign_in(user=user)
