"""The board: its page, its fragments, and what a person does on it."""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from core.errors import Invalid, Missing
from core.htmx import toast
from crm.board import (
    MOST_PER_COLUMN,
    MYSELF,
    NOBODY,
    PER_COLUMN,
    Board,
    Filters,
    Moved,
    Row,
    Total,
    last_moves,
    sources_of,
)
from crm.cards import render_cards, render_columns
from crm.forms import LeadForm, MoveForm
from crm.models import Lead, Pipeline, Stage
from crm.once import once
from crm.services.leads import create_lead, move_lead
from crm.services.pipelines import default_pipeline
from members.http import MemberRequest
from members.models import Member
from members.permissions import Reach, is_allowed, reach, require
from tenants.live import position, topic

MOST_IDS = 100


@dataclass(frozen=True)
class Column:
    """One stage as the board draws it."""

    stage: Stage
    total: Total
    cards: str = ""
    has_more: bool = False


@require_GET
@never_cache
def board(request: MemberRequest, pipeline_id: int | None = None) -> HttpResponse:
    """Show a pipeline as columns of cards, or for a change of filters only what changed."""
    shown = _board(request, pipeline_id or default_pipeline().pk)
    # Read before the leads: what is announced in between is asked for once more, never missed.
    epoch, number = position(topic("board", shown.pipeline.pk))
    context = _page(request, shown) | {"epoch": epoch, "number": number}
    if not (request.htmx and request.htmx.target == "board-region"):
        response = render(request, "crm/board.html", context)
    else:
        response = render(request, "crm/board.html#region", context)
        address = reverse("crm:board_pipeline", args=[shown.pipeline.pk])
        query = shown.filters.query(per_column=request.GET.get("per_column", ""))
        response.headers["HX-Replace-Url"] = f"{address}?{query}" if query else address
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
@never_cache
def board_columns(request: MemberRequest, pipeline_id: int) -> HttpResponse:
    """Draw all columns anew, for a browser that may have missed something."""
    epoch, number = position(topic("board", pipeline_id))
    shown = _board(request, pipeline_id)
    context = _columns(request, shown) | {"epoch": epoch, "number": number}
    return render(request, "crm/board.html#board", context)


@require_GET
@never_cache
def board_column(request: MemberRequest, pipeline_id: int, stage_id: int) -> HttpResponse:
    """Give the next cards of a column, below the position of the last one that is loaded."""
    shown = _board(request, pipeline_id)
    stage = _stage(shown, stage_id)
    count = _per_column(request)
    rows = shown.rows_below(stage, request.GET.get("after", "").replace("\x00", "")[:64], count + 1)
    cards = render_cards(rows[:count], may_move=is_allowed(request.member, "lead.move"))
    return render(request, "crm/board.html#more", {"cards": cards, "has_more": len(rows) > count})


@require_GET
@never_cache
def board_delta(request: MemberRequest, pipeline_id: int) -> HttpResponse:
    """Give what this member now sees of some leads, and nothing about those that they do not see."""
    work = partial(_delta, request, pipeline_id, lead_ids=_ids(request, "ids"), stage_ids=_ids(request, "stages"))
    key = _key_of_delta(request, pipeline_id)
    html, moves = once(key, work) if key else work()
    response = HttpResponse(html)
    moves = [move for move in moves if move.by != request.member.pk]
    if not moves:
        return response
    first, more = moves[0], len(moves) - 1
    title = _("%(name)s moved %(lead)s to %(stage)s") % {"name": first.name, "lead": first.title, "stage": first.stage}
    also = ngettext("and %(count)d more change", "and %(count)d more changes", more) % {"count": more} if more else ""
    return toast(response, title, category="info", description=also)


@require_POST
def lead_move(request: MemberRequest, lead_id: int) -> HttpResponse:
    """Put a lead into a column, right below another card or at its top."""
    form = MoveForm(request.POST)
    if not form.is_valid():
        raise Invalid
    wanted = form.cleaned_data
    lead = move_lead(
        actor=request.member, lead_id=lead_id, stage_id=wanted["stage"], after_id=wanted["after"],
        version=wanted["version"], is_undo=wanted["undo"],
    )  # fmt: skip
    source, _above_id = lead.came_from
    shown = Board(lead.stage.pipeline, [source, lead.stage], request.member, Filters.read(request.GET))
    # A card that only changed its place leaves the totals as they are.
    touched = {source.pk, lead.stage_id} if source != lead.stage else set()
    response = HttpResponse(_draw(shown, shown.rows_of_moved(lead), lead_ids=[lead.pk], stage_ids=touched))
    return _say_moved(response, lead, is_undo=wanted["undo"]) if touched else response


@require_POST
def lead_create_quick(request: MemberRequest, pipeline_id: int, stage_id: int) -> HttpResponse:
    """Create a lead at the top of a column from a title and a value; its maker owns it."""
    require(request.member, "lead.create")
    shown = _board(request, pipeline_id)
    stage = _stage(shown, stage_id)
    form = _quick_form(request, data=request.POST)
    if not form.is_valid():
        return render(request, "crm/board.html#quick", {"form": form}, status=422)
    lead = create_lead(
        actor=request.member,
        stage=stage,
        currency=request.organization.currency,
        owner=request.member,
        **form.cleaned_data,
    )
    rows = shown.rows_of([lead.pk])
    response = HttpResponse(_draw(shown, rows, lead_ids=[lead.pk], stage_ids=[stage.pk]))
    if not rows:
        return toast(response, _("The lead was created, but the filters hide it."), category="info")
    return response


def _board(request: MemberRequest, pipeline_id: int) -> Board:
    """Return a pipeline's board as the request's member may see it, or raise `Missing`."""
    require(request.member, "lead.view")
    stages = list(Stage.objects.filter(pipeline=pipeline_id).select_related("pipeline"))
    pipeline = stages[0].pipeline if stages else Pipeline.objects.filter(pk=pipeline_id).first()
    if pipeline is None:
        raise Missing
    return Board(pipeline, stages, request.member, Filters.read(request.GET))


def _stage(shown: Board, stage_id: int) -> Stage:
    for stage in shown.stages:
        if stage.pk == stage_id:
            return stage
    raise Missing


def _quick_form(request: MemberRequest, *, data: QueryDict | None = None) -> LeadForm:
    # Only one is open at a time, so its ids need no stage in them.
    return LeadForm(data, member=request.member, only={"title", "value"}, auto_id="quick-%s")


def _page(request: MemberRequest, shown: Board) -> dict[str, Any]:
    """Build what the page shows around its columns."""
    members = list(Member.objects.filter(is_active=True).order_by("name").values_list("pk", "name"))
    names = {str(pk): name for pk, name in members} | {MYSELF: _("Mine"), NOBODY: _("No owner")}
    chips = []
    if shown.filters.owner:
        chips.append((names.get(shown.filters.owner, "?"), shown.filters.without("owner").query()))
    if shown.filters.source:
        chips.append((shown.filters.source, shown.filters.without("source").query()))
    if shown.filters.text:
        chips.append((f"“{shown.filters.text}”", shown.filters.without("text").query()))
    return _columns(request, shown) | {
        "members": [(str(pk), name) for pk, name in members if pk != request.member.pk],
        "sources": sources_of(request.member, shown.pipeline),
        "pipelines": list(Pipeline.objects.all()),
        "chips": chips,
        "form": _quick_form(request),
    }


def _columns(request: MemberRequest, shown: Board) -> dict[str, Any]:
    per_column = _per_column(request)
    totals = shown.totals()
    rows = shown.first_rows(per_column)
    may_move = is_allowed(request.member, "lead.move")
    return {
        "pipeline": shown.pipeline,
        "filters": shown.filters,
        "query": shown.filters.query(),
        "per_column": per_column,
        "columns": _with_cards(shown, totals, rows, may_move=may_move),
        "is_empty": not any(total.count for total in totals.values()),
        "may_move": may_move,
        "may_create": is_allowed(request.member, "lead.create"),
        "socket": f"{get_script_prefix()}ws/pipeline/{shown.pipeline.pk}/",
    }


def _with_cards(shown: Board, totals: dict[int, Total], rows: dict[int, list[Row]], *, may_move: bool) -> list[Column]:
    drawn = render_columns([rows[stage.pk] for stage in shown.stages], may_move=may_move)
    return [
        Column(stage, totals[stage.pk], cards, has_more=totals[stage.pk].count > len(rows[stage.pk]))
        for stage, cards in zip(shown.stages, drawn, strict=True)
    ]


def _key_of_delta(request: MemberRequest, pipeline_id: int) -> Hashable:
    """Say what a delta depends on, if others may ask for the very same: a whisper makes all of them ask at once.

    The number is read before the leads: what is kept under it is never older than that announcement.
    """
    subject = topic("board", pipeline_id)
    epoch, number = position(subject)
    if not epoch or reach(request.member, "lead.view") is not Reach.ALL or Filters.read(request.GET):
        return None
    may_move = is_allowed(request.member, "lead.move")
    asked = (request.GET.get("ids"), request.GET.get("stages"))
    return (subject, epoch, number, asked, may_move, get_language(), get_script_prefix())


def _delta(
    request: MemberRequest, pipeline_id: int, *, lead_ids: list[int], stage_ids: list[int]
) -> tuple[str, list[Moved]]:
    """Draw some leads as the member sees them, and say who has just moved which."""
    shown = _board(request, pipeline_id)
    rows = shown.rows_of(lead_ids)
    return _draw(shown, rows, lead_ids=lead_ids, stage_ids=stage_ids), last_moves(rows) if rows else []


def _draw(shown: Board, rows: list[Row], *, lead_ids: Iterable[int], stage_ids: Iterable[int]) -> str:
    """Draw the cards of some leads, the marks of those that are gone, and some columns' headers.

    Without the request: what is drawn here depends on what a member may see, on nobody in person.
    """
    wanted = set(stage_ids)
    totals = shown.totals(wanted) if wanted else {}
    context = {
        "pipeline": shown.pipeline,
        "cards": render_cards(rows, may_move=is_allowed(shown.member, "lead.move")),
        "gone": sorted(set(lead_ids) - {row["id"] for row in rows}),
        "columns": [Column(stage, totals[stage.pk]) for stage in shown.stages if stage.pk in totals],
    }
    return render_to_string("crm/board.html#changes", context)


def _say_moved(response: HttpResponse, lead: Lead, *, is_undo: bool) -> HttpResponse:
    words = {"lead": lead.title, "stage": lead.stage.name}
    if is_undo:
        return toast(response, _("%(lead)s is back in %(stage)s") % words)
    source, above_id = lead.came_from
    values = {"stage": source.pk, "after": above_id or "", "version": lead.version, "undo": 1}
    undo = {"label": _("Undo"), "url": reverse("crm:lead_move", args=[lead.pk]), "values": values}
    return toast(response, _("%(lead)s moved to %(stage)s") % words, action=undo)


def _per_column(request: MemberRequest) -> int:
    wanted = request.GET.get("per_column", "")
    is_number = wanted.isascii() and wanted.isdigit() and len(wanted) < 6
    return min(max(int(wanted), 1), MOST_PER_COLUMN) if is_number else PER_COLUMN


def _ids(request: MemberRequest, name: str) -> list[int]:
    """Read a comma-separated list of ids, or raise `Invalid`."""
    words = [word for word in request.GET.get(name, "").split(",") if word]
    if len(words) > MOST_IDS or not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words):
        raise Invalid
    return [int(word) for word in words]
