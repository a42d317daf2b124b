"""What a board shows one member: columns, totals, cards, and who moved what."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BigIntegerField, Count, F, Func, OuterRef, Sum
from django.db.models.expressions import RawSQL
from django.http import QueryDict

from crm.models import Lead, LeadQuerySet, Pipeline, Stage, StageChange
from members.models import Member

PER_COLUMN = 30
MOST_PER_COLUMN = 100
NOBODY = "none"
MYSELF = "me"

# What a card is drawn from.
ROW = (
    "id", "title", "value", "currency", "source", "stage_id", "position", "stage_since", "version",
    "company__name", "contact__name", "owner__name", "outcome",
)  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Filters:
    """What a person narrowed the board down to. It lives in the URL and is read from there."""

    owner: str = ""
    source: str = ""
    text: str = ""

    @classmethod
    def read(cls, data: QueryDict) -> "Filters":
        """Read filters from a query string; what makes no sense filters nothing."""
        owner, source, text = (data.get(name, "").replace("\x00", "").strip() for name in ("owner", "source", "q"))
        if owner not in {NOBODY, MYSELF} and not (owner.isascii() and owner.isdigit() and len(owner) < 19):
            owner = ""
        return cls(owner=owner, source=source[:80], text=text[:100])

    def __bool__(self) -> bool:
        return bool(self.owner or self.source or self.text)

    def query(self, **more: Any) -> str:
        """Write the filters as a query string, without what is empty."""
        values = {"owner": self.owner, "source": self.source, "q": self.text, **more}
        return urlencode({name: value for name, value in values.items() if value})

    def without(self, name: str) -> "Filters":
        """Return the filters with one of them lifted."""
        return replace(self, **{name: ""})

    def apply(self, leads: LeadQuerySet, member: Member) -> LeadQuerySet:
        """Narrow leads down."""
        if self.owner == NOBODY:
            leads = leads.filter(owner=None)
        elif self.owner:
            leads = leads.filter(owner=member.pk if self.owner == MYSELF else int(self.owner))
        if self.source:
            leads = leads.filter(source=self.source)
        return leads.matching(self.text) if self.text else leads


@dataclass
class Total:
    """How many leads a column holds and what they are worth, by currency, the largest sum first."""

    count: int = 0
    sums: list[tuple[str, Decimal]] = field(default_factory=list)


@dataclass(frozen=True)
class Board:
    """One pipeline as one member sees it through their filters. Every read is one query."""

    pipeline: Pipeline
    stages: list[Stage]
    member: Member
    filters: Filters

    def leads(self) -> LeadQuerySet:
        """Return every lead that belongs on this board."""
        return self.filters.apply(Lead.objects.visible_to(self.member).in_columns(self.stages), self.member)

    def totals(self, stage_ids: Iterable[int] | None = None) -> dict[int, Total]:
        """Count and add up whole columns, however many of their cards are loaded."""
        wanted = {stage.pk for stage in self.stages}
        leads = self.leads()
        if stage_ids is not None:
            wanted &= set(stage_ids)
            leads = leads.filter(stage__in=wanted)
        totals = {stage_id: Total() for stage_id in wanted}
        groups = leads.order_by().values_list("stage_id", "currency").annotate(Count("pk"), Sum("value"))
        for stage_id, currency, count, worth in groups:
            if stage_id in totals:
                totals[stage_id].count += count
                if worth:
                    totals[stage_id].sums.append((currency, worth))
        for total in totals.values():
            total.sums.sort(key=lambda pair: (-pair[1], pair[0]))
        return totals

    def first_rows(self, per_column: int) -> dict[int, list[Row]]:
        """Return the topmost cards of every column."""
        found: dict[int, list[Row]] = {stage.pk: [] for stage in self.stages}
        # Along the index of each column for the ids alone, then to companies and people for those few.
        column = self.leads().filter(stage=OuterRef("pk")).order_by("position").values("pk")[:per_column]
        top = Func(ArraySubquery(column), function="unnest", output_field=BigIntegerField())
        cards = Lead.objects.filter(pk__in=Stage.objects.filter(pk__in=found).values(top=top))
        for row in cards.order_by("stage_id", "position").values(*ROW):
            found[row["stage_id"]].append(row)
        return found

    def rows_below(self, stage: Stage, position: str, count: int) -> list[Row]:
        """Return the next cards of a column, below a position."""
        leads = self.leads().filter(stage=stage, position__gt=position)
        return list(leads.order_by("position").values(*ROW)[:count])

    def rows_of(self, lead_ids: Iterable[int]) -> list[Row]:
        """Return those of some leads that belong on this board, from the top of each column down."""
        return list(self.leads().filter(pk__in=list(lead_ids)).order_by("stage_id", "position").values(*ROW))

    def rows_of_moved(self, lead: Lead) -> list[Row]:
        """Return the row of a lead that the member has just moved, or nothing if the filters hide it."""
        return self.rows_of([lead.pk]) if self.filters else [_row(lead)]


def _row(lead: Lead) -> Row:
    """Read a row off a lead whose relations are loaded."""
    row = {}
    for name in ROW:
        value: Any = lead
        for part in name.split("__"):
            value = value and getattr(value, part)
        row[name] = value
    return row


def tags_of(lead_ids: Iterable[int]) -> dict[int, list[tuple[str, str]]]:
    """Return (name, color) of each lead's tags, in alphabetical order."""
    tags: dict[int, list[tuple[str, str]]] = {}
    # As one array: hundreds of parameters would cost more than the query.
    wanted = RawSQL("SELECT unnest(%s::bigint[])", [list(lead_ids)])
    pairs = Lead.tags.through.objects.filter(lead__in=wanted)
    for lead_id, name, color in pairs.values_list("lead_id", "tag__name", "tag__color"):
        tags.setdefault(lead_id, []).append((name, color))
    for named in tags.values():
        named.sort(key=lambda tag: tag[0].casefold())
    return tags


def sources_of(member: Member, pipeline: Pipeline) -> list[str]:
    """Name the sources that a member can filter by, at most a hundred."""
    leads = Lead.objects.visible_to(member).on_board(pipeline).exclude(source="")
    return list(leads.order_by("source").values_list("source", flat=True).distinct()[:100])


@dataclass(frozen=True)
class Moved:
    """Somebody moved a lead to a stage, and nothing has happened to it since."""

    by: int
    name: str
    title: str
    stage: str


def last_moves(rows: Iterable[Row]) -> list[Moved]:
    """Return which of these leads somebody has just moved to another stage, the latest first."""
    # A move gives the lead its own time: whatever happened to the lead since has given it another.
    moves = StageChange.objects.filter(
        lead__in=[row["id"] for row in rows], at=F("lead__updated_at"), from_stage__isnull=False, actor__isnull=False
    )
    names = moves.order_by("-at", "-pk").values_list("actor_id", "actor__name", "lead__title", "to_name")
    return [Moved(*each) for each in names]
