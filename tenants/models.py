"""The public schema: organizations, where they are found, who may enter which, and what is owed."""

import re
import secrets
from typing import Any

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.validators import RegexValidator
from django.db import models
from django.db.models.functions import Lower
from django.urls import get_script_prefix, reverse, set_script_prefix
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

SLUG = re.compile(r"[a-z][a-z0-9-]{1,38}[a-z0-9]")
validate_slug = RegexValidator(
    rf"^{SLUG.pattern}\Z",
    _("Use 3 to 40 small letters, digits and hyphens, beginning with a letter."),
)
TIMEZONES = [
    ("America/Sao_Paulo", "Brasília"),
    ("America/Manaus", "Manaus"),
    ("America/Cuiaba", "Cuiabá"),
    ("America/Rio_Branco", "Rio Branco"),
    ("America/Noronha", "Fernando de Noronha"),
    ("America/Fortaleza", "Fortaleza"),
    ("America/Belem", "Belém"),
    ("America/Bahia", "Salvador"),
    ("Europe/Lisbon", "Lisboa"),
    ("America/New_York", _("New York")),
    ("UTC", "UTC"),
]
CURRENCIES = [("BRL", "R$"), ("USD", "US$"), ("EUR", "€")]


class UserManager(BaseUserManager["User"]):
    """Create users by e-mail."""

    def create_user(self, email: str, password: str | None = None, **values: Any) -> "User":
        user = self.model(email=email.strip().lower(), **values)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **values: Any) -> "User":
        return self.create_user(email, password, is_staff=True, is_superuser=True, **values)

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email__iexact=username)


class User(AbstractBaseUser, PermissionsMixin):
    """A person's one login. What they may do is said by a Member in each organization."""

    class Theme(models.TextChoices):
        SYSTEM = "system", _("Same as the device")
        LIGHT = "light", _("Light")
        DARK = "dark", _("Dark")

    email = models.EmailField(_("e-mail"), max_length=254, unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    language = models.CharField(_("language"), max_length=8, choices=settings.LANGUAGES, blank=True)
    theme = models.CharField(_("theme"), max_length=8, choices=Theme, default=Theme.SYSTEM)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)
    terms_accepted_at = models.DateTimeField(null=True)
    privacy_accepted_at = models.DateTimeField(null=True)
    terms_version = models.CharField(max_length=10, blank=True)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.name or self.email

    def get_full_name(self) -> str:
        return str(self)


def new_schema_name() -> str:
    """Make a schema name that says nothing about whose it is."""
    return f"o_{secrets.token_hex(10)}"


class Organization(TenantMixin):  # type: ignore[misc]
    """A customer: one schema, one switchboard entry, some defaults."""

    auto_create_schema = False
    auto_drop_schema = False

    name = models.CharField(_("name"), max_length=80)
    slug = models.CharField(_("address"), max_length=40, unique=True, validators=[validate_slug])
    timezone = models.CharField(_("time zone"), max_length=40, choices=TIMEZONES, default="America/Sao_Paulo")
    currency = models.CharField(_("currency"), max_length=3, choices=CURRENCIES, default="BRL")
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(slug__regex=rf"^{SLUG.pattern}$"), name="organization_slug_form"),
            models.CheckConstraint(
                condition=models.Q(schema_name__regex=r"^o_[a-z0-9]{4,40}$"), name="organization_schema_form"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def prefix(self) -> str:
        """The path below which the organization lives on the main host."""
        return f"/o/{self.slug}/"

    def url(self, name: str, *args: Any, **kwargs: Any) -> str:
        """Return the absolute address of a page of this organization: for e-mails, tasks and sockets."""
        link = self.link(name, *args, **kwargs)
        return link if link.startswith("http") else f"{settings.PUBLIC_SCHEME}://{settings.MAIN_HOST}{link}"

    def link(self, name: str, *args: Any, **kwargs: Any) -> str:
        """Return where a page is for a browser on the main host: a path, absolute on a host of its own."""
        domain = next((domain for domain in self.domains.all() if domain.is_primary), None)
        before = get_script_prefix()
        set_script_prefix("/" if domain else self.prefix)
        try:
            path = reverse(name, args=args, kwargs=kwargs)
        finally:
            set_script_prefix(before)
        return f"{settings.PUBLIC_SCHEME}://{domain.domain}{path}" if domain else path


class Domain(DomainMixin):  # type: ignore[misc]
    """A host name of its own for an organization."""


class Handover(models.Model):
    """A way from one of our hosts to another for somebody who is signed in: used once, within a minute."""

    token_hash = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE)
    host = models.CharField(max_length=253)
    state_hash = models.CharField(max_length=64)
    next_path = models.CharField(max_length=500)
    expires_at = models.DateTimeField(db_index=True)


class SpareSchema(models.Model):
    """A schema that is cloned and waits for its organization, so that sign-up does not."""

    schema_name = models.CharField(max_length=63, unique=True, default=new_schema_name)
    created_at = models.DateTimeField(default=now)

    def __str__(self) -> str:
        return self.schema_name


class Membership(models.Model):
    """Say that a user may try an organization's door. The Member inside decides."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "organization"], name="membership_once")]


class Due(models.Model):
    """Work that is owed to an organization: written with its cause, deleted when done.

    A row without `due_at` has failed too often and waits for a person.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="dues")
    task = models.CharField(max_length=100)
    arguments = models.JSONField(default=dict)
    due_at = models.DateTimeField(null=True, default=now)
    attempts = models.PositiveSmallIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "task", "arguments"], name="due_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="due_next", condition=models.Q(due_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.task
