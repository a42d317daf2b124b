"""Work that may wait: owed as a row, nudged over Celery, done inside its organization."""

import logging
from datetime import datetime, timedelta
from functools import partial
from random import uniform
from typing import Any

from celery import current_app
from celery.exceptions import OperationalError, Reject
from celery.result import AsyncResult
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError as BrokerDown
from tenant_schemas_celery.app import get_schema_name_from_task
from tenant_schemas_celery.task import TenantTask

from core.errors import Invalid, Missing
from core.redis import ValkeyError, client
from tenants.context import PUBLIC, current_organization, current_schema, in_organization
from tenants.models import Due, Organization, User
from tenants.signals import work_settled

log = logging.getLogger(__name__)
MAX_ATTEMPTS = 8
GRACE = timedelta(seconds=settings.NUDGE_SECONDS)


class WrongOrganization(Exception):
    """A task was called without an organization, or with one that does not exist."""


class WorkerLost(Exception):
    """A task came back from a process that died with it."""


class OrganizationTask(TenantTask):  # type: ignore[misc]
    """Run in the organization named in the message, or not at all.

    tenant-schemas-celery falls back to `public` when the header is missing or unknown: we refuse.
    A platform task says `runs_in_public = True`. The row in Due goes when the task has returned.
    """

    abstract = True
    runs_in_public = False

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        wanted = get_schema_name_from_task(self, kwargs)
        if self.runs_in_public:
            if current_schema() != PUBLIC:
                raise WrongOrganization(f"{self.name} is a platform task")
            return super().__call__(*args, **kwargs)
        if not wanted or wanted == PUBLIC or current_schema() != wanted:
            raise WrongOrganization(f"{self.name} wants {wanted!r}, is in {current_schema()!r}")
        if not Organization.objects.filter(schema_name=wanted).exists():
            raise WrongOrganization(f"{self.name} wants {wanted!r}, which does not exist")
        if (self.request.delivery_info or {}).get("redelivered"):
            _postpone(task=self.name, arguments=kwargs, error=WorkerLost("the process that did it died"))
            if _owed(self.name, kwargs).filter(due_at=None).exists():
                return None  # it would kill one process after the other
        owed = list(_owed(self.name, kwargs).values_list("pk", "due_at"))
        try:
            result = super().__call__(*args, **kwargs)
        except Reject:
            raise
        except Exception as error:
            _postpone(task=self.name, arguments=kwargs, error=error)
            raise
        for pk, due_at in owed:
            # Owed again while it ran: then the row has another instant, and the work is done once more.
            Due.objects.filter(pk=pk, due_at=due_at).delete()
        return result


def defer(task: Any, **arguments: int | str) -> None:
    """Owe a task to the current organization and nudge a worker after commit.

    The row is written in the caller's transaction, so the work is lost only with its cause. Calling
    again with the same arguments before it has run owes it once.
    """
    organization = current_organization()
    Due.objects.update_or_create(
        organization=organization,
        task=task.name,
        arguments=arguments,
        defaults={"due_at": timezone.now() + GRACE, "attempts": 0, "last_error": ""},
    )
    transaction.on_commit(partial(nudge, task, schema_name=organization.schema_name, arguments=arguments))


def defer_until(task: Any, *, at: datetime, **arguments: int | str) -> None:
    """Owe a task to the current organization from an instant on; the sweep sends it then.

    Nothing takes such a row back: a task that is not wanted any more finds out by itself.
    """
    Due.objects.update_or_create(
        organization=current_organization(),
        task=task.name,
        arguments=arguments,
        defaults={"due_at": at, "attempts": 0, "last_error": ""},
    )


def nudge(task: Any, *, schema_name: str, arguments: dict[str, Any]) -> AsyncResult | None:
    """Send a task to the workers; a broker that is away is only logged, the row stays owed."""
    try:
        client().ping()  # kombu would try for six seconds, in the request that is being answered
        return task.apply_async(kwargs=arguments, headers={"_schema_name": schema_name}, retry=False)
    except (OperationalError, BrokerDown, ValkeyError, OSError):
        log.warning("broker is away, %s waits for the sweep", task.name)
        return None


def sweep() -> int:
    """Nudge what is overdue and return how many rows that were."""
    from_now = timezone.now()
    with transaction.atomic():
        rows = list(
            Due.objects.select_for_update(skip_locked=True, of=("self",))
            .select_related("organization")
            .filter(due_at__lte=from_now)
            .order_by("due_at")[:200]
        )
        Due.objects.filter(pk__in=[row.pk for row in rows]).update(due_at=from_now + GRACE)
    for row in rows:
        task = _registered(row.task)
        if task is None:
            Due.objects.filter(pk=row.pk).update(due_at=None, last_error="unknown task")
            continue
        nudge(task, schema_name=row.organization.schema_name, arguments=row.arguments)
    return len(rows)


@transaction.atomic
def replay(*, due_id: int, user: User) -> Due:
    """Owe work again that failed too often, with all its tries, and tell the organization's trail."""
    due = _dead(due_id)
    task = _registered(due.task)
    if task is None:
        raise Invalid(_("This version of the program does not know this work. It can only be discarded."))
    due.due_at, due.attempts, due.last_error = timezone.now() + GRACE, 0, ""
    due.save(update_fields=["due_at", "attempts", "last_error"])
    _tell_trail(due, how="replayed", user=user)
    transaction.on_commit(partial(nudge, task, schema_name=due.organization.schema_name, arguments=due.arguments))
    return due


@transaction.atomic
def discard(*, due_id: int, user: User) -> None:
    """Give up work that failed too often. There is no way back; the organization's trail keeps what it was."""
    due = _dead(due_id)
    _tell_trail(due, how="discarded", user=user)
    due.delete()


def _dead(due_id: int) -> Due:
    due = Due.objects.select_for_update(of=("self",)).select_related("organization").filter(pk=due_id).first()
    if due is None:
        raise Missing
    if due.due_at is not None:
        raise Invalid(_("This work is still tried by itself."))
    return due


def _tell_trail(due: Due, *, how: str, user: User) -> None:
    with in_organization(due.organization):
        work_settled.send(sender=Due, organization=due.organization, due=due, how=how, user=user)


def _registered(name: str) -> Any:
    return current_app.tasks.get(name)


def _owed(task: str, arguments: dict[str, Any]) -> Any:
    return Due.objects.filter(organization=current_organization(), task=task, arguments=arguments)


def _postpone(*, task: str, arguments: dict[str, Any], error: Exception) -> None:
    """Count a failure and set the next try: 30 s, 1 min, 2 min … with jitter, then none."""
    for row in _owed(task, arguments):
        row.attempts += 1
        wait = timedelta(seconds=min(3600, 15 * 2**row.attempts) * uniform(0.8, 1.2))
        row.due_at = None if row.attempts >= MAX_ATTEMPTS else timezone.now() + wait
        row.last_error = f"{type(error).__name__}: {error}"[:300]
        row.save(update_fields=["attempts", "due_at", "last_error"])
