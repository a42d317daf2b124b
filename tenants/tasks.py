"""Platform work on a clock."""

from celery import shared_task

from tenants import jobs, schemas


@shared_task(runs_in_public=True)  # type: ignore[untyped-decorator]
def sweep() -> int:
    """Nudge owed work whose first nudge was lost or failed."""
    return jobs.sweep()


@shared_task(runs_in_public=True)  # type: ignore[untyped-decorator]
def refill_spares() -> int:
    """Keep a few schemas ready for the next sign-ups."""
    return schemas.refill_spares()
