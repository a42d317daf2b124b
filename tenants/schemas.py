"""Schemas: made by cloning a migrated template, kept up to date by our own migration runner."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

from django.core.management.sql import emit_post_migrate_signal, emit_pre_migrate_signal
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django_tenants.utils import schema_exists

from tenants.context import PUBLIC, leave, tenant_connection
from tenants.models import Organization, SpareSchema, new_schema_name

log = logging.getLogger(__name__)
TEMPLATE = "template"
SPARES = 3
# Cloning holds this lock shared, migrating the template holds it alone.
TEMPLATE_LOCK = 0x10BED001
# One runner of migrations, and one refill of the spares, at a time.
RUNNER_LOCK = 0x10BED002
REFILL_LOCK = 0x10BED003


def clone_template() -> str:
    """Clone the template into a new schema, in the caller's transaction, and return its name.

    The rows of django_migrations come along: the clone is as migrated as its template.
    """
    name = new_schema_name()
    leave()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [TEMPLATE_LOCK])
        cursor.execute("SELECT public.clone_organization(%s, %s)", [TEMPLATE, name])
    return name


def take_schema() -> str:
    """Take a spare schema, or clone one when there is none: up to a second instead of nothing."""
    with transaction.atomic():
        spare = SpareSchema.objects.select_for_update(skip_locked=True).order_by("pk").first()
        if spare is None:
            return clone_template()
        spare.delete()
        return spare.schema_name


def refill_spares() -> int:
    """Clone until SPARES schemas wait, and return how many were made. One process at a time."""
    made = 0
    with _alone(REFILL_LOCK) as mine:
        while mine and SpareSchema.objects.count() < SPARES:
            with transaction.atomic():
                SpareSchema.objects.create(schema_name=clone_template())
            made += 1
    return made


def drop_schema(name: str) -> None:
    """Drop an organization's schema with all that is in it."""
    if not name.startswith("o_"):
        raise ValueError(f"{name} is not an organization's schema")
    leave()
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a table with pending checks cannot be dropped
        cursor.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


@dataclass(frozen=True)
class Outcome:
    """What became of one schema in a migration run; `error` is empty when it went well."""

    schema: str
    error: str = ""


def migrate_all(report: Callable[[Outcome], None] = lambda outcome: None) -> list[Outcome]:
    """Bring every schema up to date: public, the template, one canary, then the others.

    Stops when public, the template or the canary fails; after them one bad schema stops nobody.
    Schemas that are not behind cost nothing, so a run that was cut off is simply run again.
    """
    outcomes: list[Outcome] = []
    with _alone(RUNNER_LOCK, wait=True):
        if not _migrate(PUBLIC, outcomes, report):
            return outcomes
        if not schema_exists(TEMPLATE):
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE SCHEMA {TEMPLATE}")
        if TEMPLATE in behind([TEMPLATE]):
            with _lock_template():
                if not _migrate(TEMPLATE, outcomes, report):
                    return outcomes
        waiting = behind(_organization_schemas())
        for number, schema in enumerate(waiting):
            if not _migrate(schema, outcomes, report) and number == 0:
                return outcomes
    return outcomes


def behind(schemas: list[str]) -> list[str]:
    """Name the schemas that lack a migration which is on disk, by one query over all of them."""
    if not schemas:
        return []
    wanted = set(MigrationLoader(None).disk_migrations)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid "
            "WHERE c.relname = 'django_migrations' AND nspname = ANY(%s)",
            [schemas],
        )
        tracked = {name for (name,) in cursor.fetchall()}
        applied: dict[str, set[tuple[str, str]]] = {name: set() for name in schemas}
        if tracked:
            cursor.execute(
                " UNION ALL ".join(
                    f"SELECT '{name}', app, name FROM \"{name}\".django_migrations"  # noqa: S608
                    for name in tracked
                )
            )
            for schema, app, migration in cursor.fetchall():
                applied[schema].add((app, migration))
    return [schema for schema in schemas if not wanted <= applied[schema]]


def _organization_schemas() -> list[str]:
    names = list(Organization.objects.order_by("pk").values_list("schema_name", flat=True))
    return names + list(SpareSchema.objects.order_by("pk").values_list("schema_name", flat=True))


def _migrate(schema: str, outcomes: list[Outcome], report: Callable[[Outcome], None]) -> bool:
    """Migrate one schema and say how it went."""
    try:
        apply_migrations(schema)
        outcome = Outcome(schema)
    except Exception as error:  # one bad schema must not stop the others; the caller prints it
        log.exception("migration failed", extra={"schema": schema})
        outcome = Outcome(schema, error=f"{type(error).__name__}: {error}")
    outcomes.append(outcome)
    report(outcome)
    return not outcome.error


def apply_migrations(schema: str) -> None:
    """Apply what one schema lacks, on this connection: migrate_schemas would close it, and our locks with it."""
    # Without public in the path, or the recorder finds public's own table and believes all is applied.
    tenant_connection.set_schema(schema, include_public=False)
    try:
        MigrationRecorder(connection).ensure_schema()
        tenant_connection.set_schema(schema)
        executor = MigrationExecutor(connection)
        targets = executor.loader.graph.leaf_nodes()
        plan = executor.migration_plan(targets)
        if not plan:
            return
        before = cast(Any, executor)._create_project_state(with_applied_migrations=True)
        emit_pre_migrate_signal(0, False, "default", apps=before.apps, plan=plan)
        after = executor.migrate(targets, plan=plan, state=before.clone())
        after.clear_delayed_apps_cache()
        emit_post_migrate_signal(0, False, "default", apps=after.apps, plan=plan)
    finally:
        leave()


@contextmanager
def _lock_template() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [TEMPLATE_LOCK])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [TEMPLATE_LOCK])


@contextmanager
def _alone(lock: int, *, wait: bool = False) -> Iterator[bool]:
    """Hold a session lock for a block; yield whether we have it (always, if told to wait)."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)" if wait else "SELECT pg_try_advisory_lock(%s)", [lock])
        mine = wait or bool(cursor.fetchone()[0])
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])
