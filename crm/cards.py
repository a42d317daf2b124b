"""The lead card: one renderer for the page, for more of a column, for what changed, and for a move."""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext
from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from core.money import format_money_compact
from core.templatetags.ui import avatar, icon
from crm.agenda import next_due_of
from crm.board import Row, tags_of
from crm.models import DueState, Lead, due_state

TAGS_SHOWN = 3


def render_cards(rows: Sequence[Row], *, may_move: bool) -> SafeString:
    """Draw cards in the reader's language. Asks for their tags in one query."""
    return render_columns([rows], may_move=may_move)[0]


def render_columns(columns: Sequence[Sequence[Row]], *, may_move: bool) -> list[SafeString]:
    """Draw the cards of several columns, each column by itself. Asks for all tags in one query."""
    printer = _Printer([row["id"] for rows in columns for row in rows])
    context = {
        "may_move": may_move,
        "lead_url": reverse("crm:lead_detail", args=[0]).removesuffix("0/"),
        "words": {"move": gettext("Move to…")},
        "icon": Markup(icon("ellipsis")),  # noqa: S704 (our own tag)
    }
    # Jinja2 has escaped what it wrote.
    return [SafeString(_template().render(cards=map(printer.card, rows), **context)) for rows in columns]


class _Printer:
    """Write what cards show."""

    def __init__(self, lead_ids: list[int]) -> None:
        self.tags = tags_of(lead_ids) if lead_ids else {}
        self.next_due = next_due_of(lead_ids) if lead_ids else {}
        self.steps = {state: _step(state) for state in DueState}
        self.language = get_language() or "pt-br"
        self.now = timezone.now()
        self.nobody = Markup('<span class="crm-none">{}</span>').format(gettext("No owner"))

    def card(self, row: Row) -> tuple[Any, ...]:
        """Return a card's values in the order in which the template takes them."""
        tags = self.tags.get(row["id"], ())
        value = row["value"]
        return (
            row["id"], row["version"], row["stage_id"], row["position"], row["title"],
            row["company__name"] or row["contact__name"] or row["source"],
            "" if value is None else format_money_compact(value, row["currency"], language=self.language),
            tags[:TAGS_SHOWN], max(0, len(tags) - TAGS_SHOWN),
            self.nobody if row["owner__name"] is None else _person(row["owner__name"]), self._next_step(row),
            *_age((self.now - row["stage_since"]).days, self.language),
        )  # fmt: skip

    def _next_step(self, row: Row) -> Markup:
        """Show how near the next step is; a lead that is won needs none."""
        due_at = self.next_due.get(row["id"])
        if due_at is None and row["outcome"] != Lead.Outcome.OPEN:
            return Markup()
        return self.steps[due_state(due_at, now=self.now)]


# A board has many cards, few people and few ages: what depends on little is written once.
@lru_cache(1000)
def _person(name: str) -> Markup:
    mark = Markup(avatar(name, size="xs", title=False))  # noqa: S704 (our own tag)
    return mark + Markup("<span>{}</span>").format(name)


@lru_cache(1000)
def _age(days: int, language: str) -> tuple[str, str]:
    """Write how long a lead has been in its stage, shortly and in full, in the language that is active."""
    if days < 1:
        return gettext("today"), gettext("In this stage since today")
    full = ngettext("%(count)d day in this stage", "%(count)d days in this stage", days)
    return gettext("%(count)d d") % {"count": days}, full % {"count": days}


# Four shapes, so that nobody has to tell colours apart.
_STEP_ICONS = {
    DueState.OVERDUE: "circle-alert",
    DueState.TODAY: "clock",
    DueState.FUTURE: "calendar-clock",
    DueState.NONE: "triangle-alert",
}


def _step(state: DueState) -> Markup:
    words = (
        gettext("No next step") if state is DueState.NONE else gettext("Next step: %(when)s") % {"when": state.label}
    )
    mark = Markup(icon(_STEP_ICONS[state], label=words))  # noqa: S704 (our own tag)
    return Markup('<span class="crm-card-step" data-state="{}" title="{}">{}</span>').format(state.value, words, mark)


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(settings.BASE_DIR / "templates"),
        autoescape=True,
        trim_blocks=True,
        auto_reload=settings.LOVED_ENV == "development",
    )
    return environment.get_template("crm/jinja/cards.html")
