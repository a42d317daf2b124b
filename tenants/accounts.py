"""Where allauth meets our users."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from tenants.models import User
from tenants.platform import platform_reverse


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Send people to the platform's home after they came in; it knows where they belong."""

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return platform_reverse("home")

    def get_signup_redirect_url(self, request: HttpRequest) -> str:
        return platform_reverse("home")

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        user.name = form.cleaned_data.get("name", "")
        user.language = getattr(request, "LANGUAGE_CODE", "")[:8]
        super().save_user(request, user, form, commit=commit)
        return user

    def populate_username(self, request: HttpRequest, user: User) -> None:
        """There are no user names: the e-mail is the login."""
