"""Platform work on a clock."""

import logging

from celery import shared_task

from tenants import heartbeat as pulse
from tenants import jobs, schemas
from tenants.context import each_organization
from tenants.models import Organization
from tenants.signals import organization_hour

log = logging.getLogger(__name__)


@shared_task(runs_in_public=True)  # type: ignore[untyped-decorator]
def sweep() -> int:
    """Nudge owed work whose first nudge was lost or failed."""
    return jobs.sweep()


@shared_task(runs_in_public=True)  # type: ignore[untyped-decorator]
def refill_spares() -> int:
    """Keep a few schemas ready for the next sign-ups."""
    return schemas.refill_spares()


@shared_task(runs_in_public=True)  # type: ignore[untyped-decorator]
def heartbeat() -> None:
    """Show that beat, broker and a worker are alive."""
    pulse.beat()


@shared_task(runs_in_public=True)  # type: ignore[untyped-decorator]
def strike_hour() -> None:
    """Let every organization do its hourly upkeep; one that fails is logged and stops nobody."""
    each_organization(_strike)


def _strike(organization: Organization) -> None:
    for receiver, answer in organization_hour.send_robust(sender=Organization, organization=organization):
        if isinstance(answer, Exception):
            log.error("hourly upkeep failed", exc_info=answer, extra={"receiver": receiver.__qualname__})
