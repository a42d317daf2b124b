"""What every request gets, wherever it goes: an id, and errors in words."""

import logging
import re
import uuid
from collections.abc import Callable

import structlog
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from core.errors import AppError
from core.htmx import toast

log = logging.getLogger(__name__)
Next = Callable[[HttpRequest], HttpResponse]


class RequestIdMiddleware:
    """Give the request an id: the caller's if it is well formed, else a new one; log and return it."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Request-ID", "")
        request.id = given if re.fullmatch(r"[A-Za-z0-9-]{8,64}", given) else uuid.uuid4().hex  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request=request.id)  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.headers["X-Request-ID"] = request.id  # type: ignore[attr-defined]
        if response.status_code >= 500:
            log.error("answered %s", response.status_code, extra={"path": request.path})
        return response


class ErrorMiddleware:
    """Turn the error family into an answer: a toast for htmx, JSON for programs, a page for people."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, AppError):
            if isinstance(error, Http404 | PermissionDenied):
                return None
            log.exception("unhandled error", extra={"path": request.path})
            return None
        return error_response(request, error)


def error_response(request: HttpRequest, error: AppError) -> HttpResponse:
    """Render one of our errors at the edge that the request came through."""
    if getattr(request, "htmx", False):
        response = HttpResponse(status=error.status)
        response.headers["HX-Reswap"] = "none"
        return toast(response, error.message, category="error" if error.status >= 500 else "warning")
    if request.accepts("text/html"):
        context = {"error": error, "status": error.status, "message": error.message}
        return render(request, "error.html", context, status=error.status)
    problem = {"code": error.code, "detail": str(error.message), "status": error.status}
    return JsonResponse(problem, status=error.status, content_type="application/problem+json")
