"""Forms of the platform."""

from typing import Any

from allauth.core import context
from django import forms
from django.conf import settings
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.errors import Invalid
from tenants.models import Organization, User, validate_slug
from tenants.services import create_organization, record_consent

TERMS_VERSION = "2026-11"
# Set while a person follows an invitation: they need no organization of their own.
INVITATION_KEY = "invitation_path"


class SignupDetailsForm(forms.Form):
    """What sign-up asks beside e-mail and password. allauth calls `signup` when the user exists."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    organization = forms.CharField(
        label=_("Company or agency"),
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    consent = forms.BooleanField(
        label=_("I accept the terms of use and the privacy notice"),
        error_messages={"required": _("Without this we may not keep your data.")},
    )
    field_order = ["name", "organization", "email", "password1", "consent"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        request = context.request
        self.is_invited = bool(request and request.session.get(INVITATION_KEY))
        if self.is_invited:
            del self.fields["organization"]

    def clean_organization(self) -> str:
        name: str = self.cleaned_data["organization"].strip()
        if not name:
            raise forms.ValidationError(_("Give the organization a name."))
        return name

    def signup(self, request: HttpRequest, user: User) -> None:
        record_consent(user=user, version=TERMS_VERSION)
        if name := self.cleaned_data.get("organization"):
            create_organization(name=name, owner=user)


class OrganizationForm(forms.Form):
    """Begin another organization."""

    name = forms.CharField(label=_("Company or agency"), max_length=80)
    slug = forms.CharField(
        label=_("Address"),
        max_length=40,
        required=False,
        validators=[validate_slug],
        help_text=_("Leave it empty and we make one from the name."),
    )

    def create(self, owner: User) -> Organization | None:
        """Create it, or note on the form why not."""
        try:
            return create_organization(owner=owner, **self.cleaned_data)
        except Invalid as error:
            self.add_error("slug" if self.cleaned_data["slug"] else "name", str(error))
            return None


class ProfileForm(forms.ModelForm):  # type: ignore[type-arg]
    """A person's own name, language and theme."""

    class Meta:
        model = User
        fields = ["name", "language", "theme"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["language"].choices = [("", _("Same as the device")), *settings.LANGUAGES]  # type: ignore[attr-defined]
