"""Where everybody begins: what is theirs today."""

from datetime import timedelta
from typing import Any

from django.db.models import Case, Count, DecimalField, F, Q, Sum, Value, When
from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from crm.agenda import HAS_NO_STEP, agenda_of
from crm.models import FollowUp, Lead, StageChange
from members.http import MemberRequest
from members.permissions import is_allowed, require

QUIET_DAYS = 7
ROWS = 8


@require_safe
@never_cache
def day(request: MemberRequest) -> HttpResponse:
    """Show what one has to do, one's open leads, what moved today, and what nobody has touched for a week."""
    require(request.member, "lead.view")
    return show_day(request=request)


def show_day(*, request: MemberRequest) -> HttpResponse:
    """Render the day, or what of it a change may have touched."""
    now, name = timezone.localtime(), request.member.name.partition(" ")[0]
    if not Lead.objects.exists() and not FollowUp.objects.filter(owner=request.member).exists():
        return render(request, "crm/day.html", {"is_new": True, "now": now, "name": name})
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    mine = Lead.objects.filter(owner=request.member, archived_at=None)
    is_open, is_quiet = Q(outcome=Lead.Outcome.OPEN), Q(updated_at__lt=now - timedelta(days=QUIET_DAYS))
    is_local = Q(currency=request.organization.currency)
    won = Q(outcome=Lead.Outcome.WON, closed_at__gte=midnight.replace(day=1))
    counts = mine.aggregate(
        open=Count("pk", filter=is_open),
        open_value=Sum("value", filter=is_open & is_local),
        quiet=Count("pk", filter=is_open & is_quiet),
        unplanned=Count("pk", filter=is_open & HAS_NO_STEP),
        won=Count("pk", filter=won),
        won_value=Sum("value", filter=won & is_local),
    )
    moves = StageChange.objects.filter(
        lead__owner=request.member, lead__archived_at=None, at__gte=midnight, from_name__gt=""
    )
    order = "age" if request.GET.get("order") == "age" else "value"
    # Another currency's number says nothing beside ours: those come after.
    worth = Case(When(is_local, then=F("value")), default=Value(None), output_field=DecimalField())
    orders: dict[str, list[Any]] = {"value": [worth.desc(nulls_last=True), "-pk"], "age": ["created_at", "pk"]}
    by = orders[order]
    rows = mine.select_related("stage", "company", "contact")
    open_leads = list(rows.filter(is_open).order_by(*by)[:ROWS])
    quiet = list(rows.filter(is_open & is_quiet).order_by("updated_at", "pk")[:ROWS])
    unplanned = rows.filter(is_open & HAS_NO_STEP).order_by(*by)[:ROWS] if counts["unplanned"] else []
    for lead in open_leads:
        lead.days = (now - lead.created_at).days  # type: ignore[attr-defined]
    for lead in quiet:
        lead.days = (now - lead.updated_at).days  # type: ignore[attr-defined]
    return render(
        request,
        "crm/day.html#page" if request.htmx.target == "day-page" else "crm/day.html",
        {
            "groups": agenda_of(request.member, now=now),
            "may_plan": is_allowed(request.member, "lead.edit"),
            "unplanned": unplanned,
            "now": now,
            "name": name,
            "counts": counts,
            "order": order,
            "open_leads": open_leads,
            "moved": moves.select_related("lead", "actor", "to_stage").order_by("-at", "-pk")[:ROWS],
            "moved_count": moves.count(),
            "quiet": quiet,
            "unowned": Lead.objects.open().filter(owner=None).count(),
            "quiet_days": QUIET_DAYS,
        },
    )
