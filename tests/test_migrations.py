"""Migrations are complete, run from zero, and give the same schema as a clone and as the models."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from tenants.models import Organization

SHAPE = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length,
               collation_name, is_identity
        FROM information_schema.columns WHERE table_schema = %(schema)s""",
    "constraints": """
        SELECT c.relname, k.conname, pg_get_constraintdef(k.oid) FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid
        WHERE c.relnamespace = %(schema)s::regnamespace AND k.contype <> 'n'""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s",
    "triggers": """
        SELECT c.relname, t.tgname, pg_get_triggerdef(t.oid) FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE NOT t.tgisinternal AND c.relnamespace = %(schema)s::regnamespace""",
    "functions": "SELECT proname, prosrc FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace",
    "sequences": "SELECT sequencename, data_type FROM pg_sequences WHERE schemaname = %(schema)s",
}


def shape(cursor, schema: str) -> dict[str, set[str]]:
    """Describe a schema without its name."""
    described = {}
    for kind, query in SHAPE.items():
        cursor.execute(query, {"schema": schema})
        described[kind] = {repr(row).replace(f"{schema}.", "").replace(f'"{schema}".', "") for row in cursor.fetchall()}
    return described


def test_no_model_change_lacks_its_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_a_clone_is_what_the_models_say(organization):
    with connection.cursor() as cursor:
        assert shape(cursor, organization.schema_name) == shape(cursor, "template")


@pytest.fixture
def from_zero(django_db_setup):
    """A database of its own, migrated by the product's own command, with one organization."""
    database = settings.DATABASES["default"]
    name = f"loved_zero_{os.getpid()}"
    where = {
        "host": database["HOST"],
        "port": database["PORT"],
        "user": database["USER"],
        "password": database["PASSWORD"],
    }
    admin = psycopg.connect(**{key: value for key, value in where.items() if value}, dbname="postgres", autocommit=True)
    admin.execute(f'CREATE DATABASE "{name}"')
    url = f"postgresql://{database['USER']}:{database['PASSWORD']}@/{name}?host={database['HOST']}&port={database['PORT']}"
    environment = {**os.environ, "DATABASE_URL": url, "LOVED_ENV": "test"}

    def manage(*arguments: str) -> str:
        run = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=settings.BASE_DIR,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr[-3000:]
        return run.stdout

    try:
        yield manage, url
    finally:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.close()


def test_migrating_from_zero_gives_the_same_as_models_and_clones(from_zero, db):
    manage, url = from_zero
    manage("migrate_organizations")
    manage("migrate_organizations")  # a second run finds nothing to do
    manage("create_organization", "first", "First", "first@zero.test")
    with psycopg.connect(url) as fresh, fresh.cursor() as cursor:
        cursor.execute("SELECT schema_name FROM tenants_organization")
        schema = cursor.fetchone()[0]
        migrated, cloned = shape(cursor, "template"), shape(cursor, schema)
        cursor.execute("SELECT count(*) FROM template.members_member")
        assert cursor.fetchone()[0] == 0
    assert cloned == migrated
    with connection.cursor() as cursor:
        built = shape(cursor, "template")
    assert {kind: rows for kind, rows in built.items() if kind != "columns"} == {
        kind: rows for kind, rows in migrated.items() if kind != "columns"
    }
    assert built["columns"] == migrated["columns"]


def unseal(fresh, schema: str) -> None:
    """Take back what members.0004 made."""
    for trigger in ("no_change", "no_truncate"):
        fresh.execute(f'DROP TRIGGER members_auditseal_{trigger} ON "{schema}".members_auditseal')


def test_a_schema_that_lags_is_found_and_mended_alone(from_zero):
    manage, url = from_zero
    manage("migrate_organizations")
    manage("create_organization", "first", "First", "first@zero.test")
    manage("create_organization", "second", "Second", "first@zero.test")
    with psycopg.connect(url, autocommit=True) as fresh:
        schema = fresh.execute("SELECT schema_name FROM tenants_organization WHERE slug = 'second'").fetchone()[0]
        unseal(fresh, schema)
        fresh.execute(f"DELETE FROM \"{schema}\".django_migrations WHERE app = 'members' AND name LIKE '0004%'")
    out = manage("migrate_organizations", "-v", "2")
    assert f"{schema}: up to date" in out
    assert out.count("o_") == 1
    with psycopg.connect(url) as fresh, fresh.cursor() as cursor:
        assert shape(cursor, schema) == shape(cursor, "template")


def test_one_bad_schema_stops_nobody_and_is_named(from_zero):
    manage, url = from_zero
    manage("migrate_organizations")
    for slug in ("canary", "broken", "healthy"):
        manage("create_organization", slug, slug, "first@zero.test")
    with psycopg.connect(url, autocommit=True) as fresh:
        schemas = dict(fresh.execute("SELECT slug, schema_name FROM tenants_organization").fetchall())
        for schema in schemas.values():
            fresh.execute(f"DELETE FROM \"{schema}\".django_migrations WHERE app = 'members' AND name LIKE '0004%'")
            if schema != schemas["broken"]:  # there the triggers still exist, so the migration fails
                unseal(fresh, schema)
    with pytest.raises(AssertionError, match=schemas["broken"]):
        manage("migrate_organizations")
    with psycopg.connect(url) as fresh, fresh.cursor() as cursor:
        assert shape(cursor, schemas["healthy"]) == shape(cursor, "template")


def test_the_schema_names_say_nothing(organization):
    assert organization.schema_name.startswith("o_")
    assert organization.slug not in organization.schema_name
    assert Organization.objects.filter(schema_name="template").count() == 0
