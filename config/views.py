"""Pages that belong to no app: health, manifest, and the answers to broken forms."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.htmx import toast
from core.redis import ValkeyError, client
from tenants import heartbeat


@require_safe
@never_cache
def health_live(request: HttpRequest) -> HttpResponse:
    """Say that the process answers."""
    return JsonResponse({"status": "live"})


@require_safe
@never_cache
def health_ready(request: HttpRequest) -> HttpResponse:
    """Say whether work can be done: 503 without the database, degraded without Valkey or with stalled workers."""
    checks = {"database": _database_answers(), "valkey": _valkey_answers(), "worker": heartbeat.state()}
    if not checks["database"]:
        return JsonResponse({"status": "down", **checks}, status=503)
    is_whole = checks["valkey"] and checks["worker"] != "stalled"
    return JsonResponse({"status": "ready" if is_whole else "degraded", **checks})


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Tell somebody whose form is too old, and leave what they typed on the page."""
    message = _("This page has been open for too long. Reload it and try again.")
    if getattr(request, "htmx", False):
        response = HttpResponse(status=403)
        response.headers["HX-Reswap"] = "none"
        return toast(response, message, category="warning")
    return render(request, "error.html", {"status": 403, "message": message}, status=403)


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True


def _valkey_answers() -> bool:
    try:
        return bool(client().ping())
    except ValkeyError:
        return False
