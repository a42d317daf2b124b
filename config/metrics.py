"""What Prometheus reads: requests of every process of this server, and how the work that is owed stands."""

import hmac
import ipaddress
import os
import time
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.db.models import Count, Min, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from core import VERSION
from core.redis import ValkeyError, client
from tenants import heartbeat
from tenants.models import Due, Organization, SpareSchema
from tenants.schemas import TEMPLATE, behind

BEHIND_SECONDS = 300  # asking every schema is one query over all of them: not at every scrape
_behind: tuple[float, int] = (0.0, 0)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer Prometheus, and nobody else."""
    if not _may_read(request):
        return HttpResponse("Metrics are for the monitoring of this installation.\n", status=403)
    registry = CollectorRegistry()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    else:
        registry.register(REGISTRY)  # type: ignore[arg-type]
    registry.register(State())  # type: ignore[arg-type]
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class State:
    """How the installation stands at this moment, as gauges."""

    def collect(self) -> Iterator[Metric]:
        yield _gauge("build_info", "The version that runs.", 1, version=VERSION)
        try:
            yield from _owed()
            yield _gauge("organizations", "Organizations.", Organization.objects.count())
            yield _gauge("spare_schemas", "Schemas that wait for an organization.", SpareSchema.objects.count())
            yield _gauge("schemas_behind", "Schemas that lack a migration; more than 0 is an alarm.", _count_behind())
            yield _gauge("database_up", "Whether PostgreSQL answers.", 1)
        except DatabaseError:
            yield _gauge("database_up", "Whether PostgreSQL answers.", 0)
        try:
            length = client().llen(settings.CELERY_TASK_DEFAULT_QUEUE)
            yield _gauge("queue_length", "Nudges that wait for a worker.", float(length))  # type: ignore[arg-type]
            yield _gauge("valkey_up", "Whether Valkey answers.", 1)
            if (age := heartbeat.age()) is not None:
                yield _gauge("heartbeat_age_seconds", "Since a worker last ran what beat sent each minute.", age)
        except ValkeyError:
            yield _gauge("valkey_up", "Whether Valkey answers.", 0)


def _owed() -> Iterator[Metric]:
    now = timezone.now()
    late = Q(due_at__lte=now)
    found = Due.objects.aggregate(
        owed=Count("pk", filter=Q(due_at__isnull=False)),
        late=Count("pk", filter=late),
        dead=Count("pk", filter=Q(due_at__isnull=True)),
        latest=Min("due_at", filter=late),
        oldest=Min("created_at", filter=Q(due_at__isnull=False)),
    )
    yield _gauge("due_owed", "Rows of owed work.", found["owed"])
    yield _gauge("due_late", "Owed rows whose time has passed.", found["late"])
    yield _gauge("dead_letters", "Rows that failed too often and wait for a person.", found["dead"])
    lag = (now - found["latest"]).total_seconds() if found["latest"] else 0
    yield _gauge("due_lag_seconds", "How long the most overdue row has waited past its time.", lag)
    age = (now - found["oldest"]).total_seconds() if found["oldest"] else 0
    yield _gauge("queue_age_seconds", "Age of the oldest row of owed work.", age)


def _count_behind() -> int:
    global _behind
    if time.monotonic() - _behind[0] > BEHIND_SECONDS or not _behind[0]:
        names = list(Organization.objects.values_list("schema_name", flat=True))
        _behind = (time.monotonic(), len(behind([TEMPLATE, *names])))
    return _behind[1]


def _gauge(name: str, text: str, value: float, **labels: str) -> Metric:
    family = GaugeMetricFamily(f"loved_{name}", text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def _may_read(request: HttpRequest) -> bool:
    """With METRICS_TOKEN whoever has it; without, whoever is near and did not come through a proxy."""
    if settings.METRICS_TOKEN:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), settings.METRICS_TOKEN.encode())
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        address = ipaddress.ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:
        return not request.META.get("REMOTE_ADDR")  # a unix socket, which only this machine reaches
    return address.is_loopback or address.is_private
