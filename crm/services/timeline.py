"""The timelines of leads, contacts and companies."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from django.db.models import Q

from crm.models import Activity, Company, Contact, Lead, LeadQuerySet, StageChange
from members.models import Member

# Beyond this many leads a timeline of all of them shows those that were touched last.
MOST_LEADS = 200


def log_activity(
    *,
    lead: Lead | None = None,
    contact: Contact | None = None,
    verb: str,
    actor: Member | None,
    text: str = "",
    **facts: Any,
) -> Activity:
    """Add a line to the timeline of a lead or of a contact. `templates/crm/activity/<verb>.html` shows it."""
    return Activity.objects.create(lead=lead, contact=contact, verb=verb, actor=actor, text=text, facts=facts)


@dataclass(frozen=True)
class Change:
    """One value of a lead as it was and as it became; money and days are what they were again."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Line:
    """One line of a timeline as it is shown."""

    verb: str
    at: datetime
    actor: Member | None
    text: str
    facts: dict[str, Any]
    # Said where lines of several leads stand together.
    lead: Lead | None = None

    @property
    def template(self) -> str:
        return f"crm/activity/{self.verb}.html"

    @property
    def due_at(self) -> datetime | None:
        """When the follow-up that a line is about is, or was, due."""
        text = self.facts.get("due_at")
        return datetime.fromisoformat(text) if text else None

    @property
    def changes(self) -> list[Change]:
        """Pair what a `changed` line says about before and after."""
        before, after = self.facts.get("before", {}), self.facts.get("after", {})
        return [Change(key, _typed(key, before.get(key)), _typed(key, after[key])) for key in sorted(after)]


def timeline(lead: Lead, *, limit: int = 100) -> list[Line]:
    """Return a lead's notes, changes and moves, newest first."""
    lines = [
        Line(activity.verb, activity.at, activity.actor, activity.text, activity.facts)
        for activity in lead.activities.select_related("actor").order_by("-at", "-id")[:limit]
    ]
    lines += [
        Line(
            "moved",
            move.at,
            move.actor,
            "",
            {"from": move.from_name, "to": move.to_name, "is_undo": move.is_undo},
        )
        for move in lead.stage_changes.select_related("actor").order_by("-at", "-id")[:limit]
        if move.from_name
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:limit]


def timeline_of_contact(contact: Contact, *, member: Member, limit: int = 100) -> list[Line]:
    """Return what happened to a contact and to those of its leads that a member sees, newest first."""
    leads = Lead.objects.visible_to(member).filter(contact=contact)
    return _lines(leads, Q(contact=contact), limit)


def timeline_of_company(company: Company, *, member: Member, limit: int = 100) -> list[Line]:
    """Return what happened to the leads and the contacts of a company that a member sees, newest first."""
    leads = Lead.objects.visible_to(member).filter(company=company)
    contacts = Contact.objects.visible_to(member).filter(company=company)
    return _lines(leads, Q(contact__in=contacts.values("pk")), limit)


def _lines(leads: LeadQuerySet, others: Q, limit: int) -> list[Line]:
    pks = list(leads.order_by("-updated_at").values_list("pk", flat=True)[:MOST_LEADS])
    activities = Activity.objects.filter(Q(lead__in=pks) | others).select_related("actor", "lead")
    moves = StageChange.objects.filter(lead__in=pks, from_name__gt="").select_related("actor", "lead")
    lines = [
        Line(each.verb, each.at, each.actor, each.text, each.facts, each.lead)
        for each in activities.order_by("-at", "-id")[:limit]
    ]
    lines += [
        Line(
            "moved",
            each.at,
            each.actor,
            "",
            {"from": each.from_name, "to": each.to_name, "is_undo": each.is_undo},
            each.lead,
        )
        for each in moves.order_by("-at", "-id")[:limit]
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:limit]


def _typed(key: str, value: Any) -> Any:
    if value and key == "value":
        return Decimal(value)
    if value and key == "expected_close":
        return date.fromisoformat(value)
    return value
