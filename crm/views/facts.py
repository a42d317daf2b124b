"""The facts of a lead as its page and the panel show them."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext as _

from core.money import format_money
from crm.identity import display_phone, parse_phone
from crm.models import Lead

# What may be edited in place. The title stands above the others.
EDITABLE = (
    "title", "value", "currency", "owner", "source", "expected_close", "tags",
    "company_name", "contact_name", "email", "phone",
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One fact: its words, and where a press on them leads, if anywhere."""

    field: str
    label: str
    text: str
    href: str = ""
    may_edit: bool = False


def facts_of(lead: Lead, *, editable: set[str]) -> dict[str, list[Fact]]:
    """Return a lead's facts by group: about the sale, and about the person."""
    email = lead.contact.email if lead.contact else ""
    phone = lead.contact.phone if lead.contact else ""
    deal = [
        ("value", _("Value"), _money(lead), ""),
        ("owner", _("Owner"), str(lead.owner or ""), ""),
        ("source", _("Source"), lead.source, ""),
        ("expected_close", _("Expected close"), _day(lead), ""),
        ("tags", _("Tags"), ", ".join(tag.name for tag in lead.tags.all()), ""),
    ]
    person = [
        ("contact_name", _("Name"), lead.contact.name if lead.contact else "", _page("contact", lead.contact_id)),
        ("company_name", _("Company"), lead.company.name if lead.company else "", _page("company", lead.company_id)),
        ("email", _("E-mail"), email, f"mailto:{email}" if email else ""),
        ("phone", _("Phone"), display_phone(phone), _tel(phone)),
    ]
    return {
        "deal": [Fact(*row, may_edit=row[0] in editable) for row in deal],
        "person": [Fact(*row, may_edit=row[0] in editable) for row in person],
    }


def value_of(lead: Lead, field: str) -> Any:
    """Return what a field holds, as its form takes it."""
    if field == "tags":
        return list(lead.tags.all())
    if field == "company_name":
        return lead.company.name if lead.company else ""
    if field in {"contact_name", "email"}:
        return getattr(lead.contact, field.removeprefix("contact_")) if lead.contact else ""
    if field == "phone":
        return display_phone(lead.contact.phone) if lead.contact else ""
    if field == "owner":
        return lead.owner_id
    return getattr(lead, field)


def text_of(lead: Lead, field: str) -> str:
    """Write what a field holds, for somebody who typed something else."""
    if field == "currency":
        return lead.currency
    facts = [fact for group in facts_of(lead, editable=set()).values() for fact in group]
    found = next((fact.text for fact in facts if fact.field == field), lead.title)
    return found or pgettext("no value", "nothing")


def whole_lead(leads: QuerySet[Lead], pk: int) -> Lead | None:
    """Read a lead with all that its page shows."""
    return (
        leads.select_related("owner__team", "contact", "company", "stage__pipeline", "created_by")
        .prefetch_related("tags")
        .filter(pk=pk)
        .first()
    )


def _page(kind: str, pk: int | None) -> str:
    return reverse(f"crm:{kind}_detail", args=[pk]) if pk else ""


def _money(lead: Lead) -> str:
    if lead.value is None:
        return ""
    return format_money(lead.value, lead.currency, language=get_language() or "pt-br")


def _day(lead: Lead) -> str:
    return date_format(lead.expected_close, "SHORT_DATE_FORMAT") if lead.expected_close else ""


def _tel(phone: str) -> str:
    number = parse_phone(phone) if phone else None
    return f"tel:{number.e164}" if number and number.e164 else ""
