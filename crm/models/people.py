"""The people and companies that leads are about."""

from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Company(models.Model):
    """A company that somebody sells to."""

    name = models.CharField(_("name"), max_length=160)
    # The name as it is compared: without accents, case and double spaces.
    name_key = models.CharField(max_length=160, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Contact(models.Model):
    """A person. `phone` is E.164 or what was typed; `phone_key` is what two spellings share."""

    name = models.CharField(_("name"), max_length=160, blank=True)
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    phone_key = models.CharField(max_length=20, blank=True)
    company = models.ForeignKey(Company, on_delete=models.SET_NULL, null=True, blank=True, related_name="contacts")
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="contact_email_lower"),
            models.CheckConstraint(
                condition=~models.Q(name="", email="", phone=""), name="contact_is_somebody"
            ),
        ]
        indexes = [
            models.Index(fields=["email"], name="contact_email", condition=~models.Q(email="")),
            models.Index(fields=["phone_key"], name="contact_phone", condition=~models.Q(phone_key="")),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone
