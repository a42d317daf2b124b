"""The people and companies that leads are about, and who sees them."""

from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from members.models import Member
from members.permissions import Reach, reach


class CompanyQuerySet(models.QuerySet["Company"]):
    """Reads of companies, as clauses."""

    def visible_to(self, member: Member) -> "CompanyQuerySet":
        """Keep all, or what a member's leads and contacts are about, and what nobody's are."""
        how_far = reach(member, "contact.view")
        if how_far is None:
            return self.none()
        if how_far is Reach.ALL:
            return self
        leads = _leads().objects.filter(company=OuterRef("pk"))
        contacts = Contact.objects.filter(company=OuterRef("pk"))
        is_theirs = Exists(leads.visible_to(member)) | Exists(contacts.visible_to(member))
        return self.filter(is_theirs | (~Exists(leads) & ~Exists(contacts)))

    def current(self) -> "CompanyQuerySet":
        """Leave archived companies out."""
        return self.filter(archived_at=None)

    def matching(self, text: str) -> "CompanyQuerySet":
        """Keep companies in whose name every word occurs, accents and case aside."""
        found = self
        for word in text.split()[:6]:
            found = found.filter(name__unaccent__icontains=word)
        return found


class Company(models.Model):
    """A company that somebody sells to. `version` counts what was changed on its page."""

    name = models.CharField(_("name"), max_length=160)
    # The name as it is compared: without accents, case and double spaces.
    name_key = models.CharField(max_length=160, unique=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)

    objects = CompanyQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class ContactQuerySet(models.QuerySet["Contact"]):
    """Reads of contacts, as clauses."""

    def visible_to(self, member: Member) -> "ContactQuerySet":
        """Keep all, or those of leads that the member sees, and those of no lead at all."""
        how_far = reach(member, "contact.view")
        if how_far is None:
            return self.none()
        if how_far is Reach.ALL:
            return self
        leads = _leads().objects.filter(contact=OuterRef("pk"))
        return self.filter(Exists(leads.visible_to(member)) | ~Exists(leads))

    def current(self) -> "ContactQuerySet":
        """Leave archived contacts out."""
        return self.filter(archived_at=None)

    def matching(self, text: str) -> "ContactQuerySet":
        """Keep contacts in which every word occurs, accents and case aside: name, e-mail, phone, company."""
        found = self
        for word in text.split()[:6]:
            clause = (
                Q(name__unaccent__icontains=word)
                | Q(email__icontains=word)
                | Q(phone__contains=word)
                | Q(company__name__unaccent__icontains=word)
            )
            digits = "".join(letter for letter in word if letter.isascii() and letter.isdigit())
            if len(digits) >= 3:
                clause |= Q(phone__contains=digits) | Q(phone_key__contains=digits)
            found = found.filter(clause)
        return found


class Contact(models.Model):
    """A person. `phone` is E.164 or what was typed; `phone_key` is what two spellings share."""

    name = models.CharField(_("name"), max_length=160, blank=True)
    email = models.EmailField(_("e-mail"), max_length=254, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    phone_key = models.CharField(max_length=20, blank=True)
    company = models.ForeignKey(Company, on_delete=models.SET_NULL, null=True, blank=True, related_name="contacts")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)
    # The contact that this one became part of.
    merged_into = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="merged", db_index=False
    )
    version = models.PositiveIntegerField(default=1)

    objects = ContactQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=models.Q(email=Lower("email")), name="contact_email_lower"),
            models.CheckConstraint(condition=~models.Q(name="", email="", phone=""), name="contact_is_somebody"),
            models.CheckConstraint(
                condition=Q(merged_into=None) | Q(archived_at__isnull=False), name="contact_merged_is_archived"
            ),
        ]
        indexes = [
            models.Index(fields=["email"], name="contact_email", condition=~models.Q(email="")),
            models.Index(fields=["phone_key"], name="contact_phone", condition=~models.Q(phone_key="")),
        ]

    def __str__(self) -> str:
        return self.name or self.email or self.phone


def _leads() -> Any:
    """Return the model of leads, which points here."""
    return Contact._meta.get_field("leads").related_model
