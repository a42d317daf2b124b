"""Leads as a spreadsheet that people take away."""

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from django.utils.translation import get_language
from django.utils.translation import gettext as _

from crm.identity import display_phone
from crm.models import Lead, LeadQuerySet
from crm.spreadsheet import safe_cell
from members.models import Member
from members.permissions import require
from members.services import audit
from tenants.context import current_organization, in_organization
from tenants.models import Organization

CHUNK = 500
# Excel takes a file without it for the code page of the machine.
BOM = "\ufeff"


def export_leads(*, actor: Member, leads: LeadQuerySet) -> Iterator[str]:
    """Return leads as CSV, piece by piece, in the order of the query; what is taken away is on the trail.

    Headings and numbers are in the current language, instants in the organization's zone. Raises
    `Forbidden` at once, not when the first piece is asked for.
    """
    require(actor, "lead.export")
    organization = current_organization()
    ids = list(leads.values_list("pk", flat=True))
    audit.record(actor=actor, action="lead.exported", target=organization, count=len(ids))
    is_portuguese = (get_language() or "pt-br").startswith("pt")
    headings = [
        _("Title"), _("Value"), _("Currency"), _("Stage"), _("Outcome"), _("Loss reason"), _("Owner"), _("Source"),
        _("Contact"), _("E-mail"), _("Phone"), _("Company"), _("Tags"), _("Expected close"), _("Created"),
        _("External id"),
    ]  # fmt: skip
    outcomes = {value: str(label) for value, label in Lead.Outcome.choices}
    return _write(organization, ids, headings, outcomes, is_portuguese)


def _write(
    organization: Organization, ids: list[int], headings: list[str], outcomes: dict[str, str], is_portuguese: bool
) -> Iterator[str]:
    zone, delimiter = ZoneInfo(organization.timezone), ";" if is_portuguese else ","
    yield BOM + _lines([headings], delimiter)
    for start in range(0, len(ids), CHUNK):
        # A response is streamed after the request has left the organization: each piece enters again,
        # and no piece is handed out inside.
        with in_organization(organization):
            rows = [_row(lead, outcomes, zone, is_portuguese) for lead in _read(ids[start : start + CHUNK])]
        yield _lines(rows, delimiter)


def _read(ids: list[int]) -> list[Lead]:
    leads = Lead.objects.select_related("stage", "owner", "contact", "company").prefetch_related("tags").in_bulk(ids)
    return [leads[pk] for pk in ids if pk in leads]


def _row(lead: Lead, outcomes: dict[str, str], zone: ZoneInfo, is_portuguese: bool) -> list[str]:
    contact, amount = lead.contact, ""
    if lead.value is not None:
        amount = f"{lead.value:.2f}".replace(".", "," if is_portuguese else ".")
    return [
        lead.title,
        amount,
        lead.currency,
        lead.stage.name,
        outcomes[lead.outcome],
        lead.loss_reason,
        str(lead.owner or ""),
        lead.source,
        contact.name if contact else "",
        contact.email if contact else "",
        display_phone(contact.phone) if contact else "",
        str(lead.company or ""),
        ", ".join(tag.name for tag in lead.tags.all()),
        lead.expected_close.isoformat() if lead.expected_close else "",
        _instant(lead.created_at, zone),
        lead.external_id,
    ]


def _instant(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _lines(rows: list[list[str]], delimiter: str) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter).writerows([[safe_cell(cell) for cell in row] for row in rows])
    return buffer.getvalue()
