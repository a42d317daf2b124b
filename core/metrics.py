"""Rate, errors and duration of requests for Prometheus, by route: never by organization, person or path."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from prometheus_client import Histogram

Next = Callable[[HttpRequest], HttpResponse]
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

REQUESTS = Histogram(
    "loved_http_request_seconds",
    "Time from request to answer, by route, method and kind of status.",
    ["route", "method", "status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class MetricsMiddleware:
    """Count and time every request under the name of its route."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        REQUESTS.labels(
            route=(match.view_name if match else "") or "none",
            method=request.method if request.method in METHODS else "OTHER",
            status=f"{response.status_code // 100}xx",
        ).observe(time.perf_counter() - began)
        return response
