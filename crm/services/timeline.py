"""The timeline of a lead."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crm.models import Activity, Lead
from members.models import Member


def log_activity(*, lead: Lead, verb: str, actor: Member | None, text: str = "", **facts: Any) -> Activity:
    """Add a line to a lead's timeline. `templates/crm/activity/<verb>.html` shows it."""
    return Activity.objects.create(lead=lead, verb=verb, actor=actor, text=text, facts=facts)


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
