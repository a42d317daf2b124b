"""The timeline of a lead."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crm.models import Activity, Lead
from members.models import Member


def log_activity(*, lead: Lead, verb: str, actor: Member | None, text: str = "", **facts: Any) -> Activity:
    """Add a line to a lead's timeline. `templates/crm/activity/<verb>.html` shows it."""
    return Activity.objects.create(lead=lead, verb=verb, actor=actor, text=text, facts=facts)


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

    @property
    def template(self) -> str:
        return f"crm/activity/{self.verb}.html"

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


def _typed(key: str, value: Any) -> Any:
    if value and key == "value":
        return Decimal(value)
    if value and key == "expected_close":
        return date.fromisoformat(value)
    return value
