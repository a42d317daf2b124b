"""Fixtures for every test: a database in seconds, and four people in two organizations.

`owner` (administrator), `colleague` (sales) and `viewer` belong to `organization`; `stranger` owns
`elsewhere`. A test that asks for `organization` runs inside it and is rolled back. A test that must
commit (races, sockets, browser) asks for `committed` and gets a cloned schema that is dropped again.
"""

import hashlib
import os
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.cache import caches
from django.db import connection
from django.test import Client

BASE = Path(__file__).parent


def _key() -> str:
    """Hash what a template database is made of: models, migrations, and this file."""
    digest = hashlib.sha256()
    for app in ("tenants", "members", "crm"):
        for file in sorted(
            [
                *BASE.glob(f"{app}/models*/**/*.py"),
                *BASE.glob(f"{app}/models.py"),
                *BASE.glob(f"{app}/migrations/*.py"),
                *BASE.glob(f"{app}/services/pipelines.py"),
            ]
        ):
            digest.update(file.read_bytes())
    digest.update((BASE / "requirements.txt").read_bytes() if (BASE / "requirements.txt").exists() else b"")
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


class _NoMigrations:
    def __contains__(self, app: str) -> bool:
        return True

    def __getitem__(self, app: str) -> None:
        return None


def _build_template() -> None:
    """Build tables from the models, then what only migrations say: RunSQL, extensions, bookkeeping."""
    from django.core.management import call_command
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.operations import RunSQL
    from django.db.migrations.recorder import MigrationRecorder

    from tenants import schemas

    migrations = MigrationLoader(None).disk_migrations
    with connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS unaccent; CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute(f"CREATE SCHEMA {schemas.TEMPLATE}")
    real, settings.MIGRATION_MODULES = settings.MIGRATION_MODULES, _NoMigrations()
    try:
        call_command("migrate_schemas", shared=True, run_syncdb=True, verbosity=0, interactive=False)
        connection.set_schema(schemas.TEMPLATE)
        call_command("migrate_schemas", schema_name=schemas.TEMPLATE, run_syncdb=True, verbosity=0, interactive=False)
    finally:
        settings.MIGRATION_MODULES = real
    for schema in ("public", schemas.TEMPLATE):
        connection.set_schema(schema, include_public=False)
        recorder = MigrationRecorder(connection)
        recorder.ensure_schema()
        recorder.migration_qs.bulk_create(recorder.Migration(app=app, name=name) for app, name in migrations)
    for schema, apps in (("public", {"tenants"}), (schemas.TEMPLATE, set(settings.TENANT_APPS))):
        connection.set_schema(schema)
        with connection.cursor() as cursor:
            for (app, _name), migration in sorted(migrations.items()):
                for operation in migration.operations if app in apps else ():
                    if isinstance(operation, RunSQL):
                        cursor.execute(operation.sql)
    connection.set_schema_to_public()


@pytest.fixture(scope="session")
def django_db_setup(request, django_test_environment, django_db_blocker) -> Iterator[None]:
    """Copy a template database, built once per state of models and migrations."""
    config = settings.DATABASES["default"]
    where = {
        "host": config["HOST"] or None,
        "port": config["PORT"] or None,
        "user": config["USER"] or None,
        "password": config["PASSWORD"] or None,
    }
    admin = psycopg.connect(**{k: v for k, v in where.items() if v}, dbname="postgres", autocommit=True)
    template = f"loved_template_{_key()}"
    name = f"loved_test_{getattr(request.config, 'workerinput', {}).get('workerid', os.getpid())}"
    with django_db_blocker.unblock():
        admin.execute("SELECT pg_advisory_lock(72)")
        if not admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [template]).fetchone():
            admin.execute(f'DROP DATABASE IF EXISTS "{template}_new" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{template}_new"')
            connection.close()
            connection.settings_dict["NAME"] = f"{template}_new"
            _build_template()
            connection.close()
            admin.execute(f'ALTER DATABASE "{template}_new" RENAME TO "{template}"')
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        admin.execute("SELECT pg_advisory_unlock(72)")
        connection.close()
        settings.DATABASES["default"]["NAME"] = connection.settings_dict["NAME"] = name
        _make_organizations()
        connection.close()
    yield
    with django_db_blocker.unblock():
        connection.close()
        admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        admin.close()


def _make_organizations() -> None:
    """Two organizations that every test may use, with one owner each; tests add to them and roll back."""
    from tenants.models import User
    from tenants.services import create_organization

    for slug, name, email, person in (
        ("acme", "Acme Agência", "ana@acme.test", "Ana Owner"),
        ("elsewhere", "Elsewhere Ltda", "sergio@elsewhere.test", "Sérgio Stranger"),
    ):
        owner = User.objects.create_user(email, "senha-bem-longa-1", name=person, language="en")
        create_organization(name=name, owner=owner, slug=slug)


@pytest.fixture(autouse=True)
def _outside() -> Iterator[None]:
    """Begin and end every test in public, with empty cache and log context."""
    import structlog

    from core.cache import ForgivingRedisCache
    from tenants import heartbeat

    heartbeat.KEY = f"loved:heartbeat:{uuid.uuid4().hex}"  # likewise: no other test's worker
    structlog.contextvars.clear_contextvars()
    connection.set_schema_to_public()
    # A cache of its own: the rate limits of one test must not slow the next, or another worker's.
    caches["default"] = ForgivingRedisCache(
        settings.REDIS_URL, {**settings.CACHES["default"], "KEY_PREFIX": uuid.uuid4().hex, "TIMEOUT": 60}
    )
    yield
    connection.set_schema_to_public()


@pytest.fixture
def organization(db):
    """The organization of owner, colleague and viewer; the test runs inside it."""
    from tenants.context import enter
    from tenants.models import Organization

    found = Organization.objects.get(slug="acme")
    enter(found)
    return found


@pytest.fixture
def elsewhere(db):
    """Another organization, in which none of ours is a member."""
    from tenants.models import Organization

    return Organization.objects.get(slug="elsewhere")


@dataclass
class Person:
    """Somebody in a test: their login, their Member, and a browser's worth of HTTP."""

    user: object
    member: object
    client: "OrganizationClient"


class OrganizationClient(Client):
    """A client whose short paths (`/board/`) are below the organization: `/o/acme/board/`."""

    def __init__(self, organization, user=None, **kwargs):
        super().__init__(**kwargs)
        self.organization = organization
        if user is not None:
            self.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")

    def at(self, path: str) -> str:
        return f"/o/{self.organization.slug}{path}"

    def generic(self, method, path, *args, **kwargs):
        from tenants.context import enter, leave

        before = connection.tenant
        leave()
        try:
            platform = path.startswith(
                (
                    "/o/",
                    "/accounts/",
                    "/organizations/",
                    "/profile/",
                    "/invite/",
                    "/health/",
                    "/enter/",
                    "/handover/",
                    "/tls/",
                    "/metrics",
                    "/platform/",
                )
            )
            return super().generic(method, path if platform else self.at(path), *args, **kwargs)
        finally:
            from tenants.models import Organization

            if isinstance(before, Organization):
                enter(before)


def _person(organization, *, email: str, name: str, role: str) -> Person:
    from members.models import Member, Team
    from members.services.people import add_member
    from tenants.context import in_organization
    from tenants.models import User

    with in_organization(organization):
        user = User.objects.filter(email=email).first() or User.objects.create_user(
            email, "senha-bem-longa-1", name=name, language="en"
        )
        member = Member.objects.filter(user_id=user.pk).first() or add_member(
            user=user, role=role, team=Team.objects.first()
        )
    return Person(user, member, OrganizationClient(organization, user))


@pytest.fixture
def owner(organization) -> Person:
    return _person(organization, email="ana@acme.test", name="Ana Owner", role="admin")


@pytest.fixture
def manager(organization) -> Person:
    return _person(organization, email="mara@acme.test", name="Mara Manager", role="manager")


@pytest.fixture
def colleague(organization) -> Person:
    return _person(organization, email="caio@acme.test", name="Caio Colleague", role="sales")


@pytest.fixture
def viewer(organization) -> Person:
    return _person(organization, email="vera@acme.test", name="Vera Viewer", role="viewer")


@pytest.fixture
def stranger(elsewhere) -> Person:
    return _person(elsewhere, email="sergio@elsewhere.test", name="Sérgio Stranger", role="admin")


@pytest.fixture
def pipeline(organization):
    from crm.services.pipelines import default_pipeline

    return default_pipeline()


@pytest.fixture
def stages(pipeline):
    """The default stages in order: Lead, Contato, Proposta, Negociação, Fechado."""
    return list(pipeline.stages.all())


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """A throwaway organization whose rows are really committed; yields its owner as a Person.

    The test runs outside of any organization: use `in_organization(person.client.organization)`.
    """
    import secrets

    from members.models import Member
    from tenants.context import in_organization
    from tenants.models import User
    from tenants.services import create_organization, remove_organization

    django_db_blocker.unblock()
    try:
        mark = secrets.token_hex(4)
        user = User.objects.create_user(
            f"{mark}@committed.test", "senha-bem-longa-1", name="Clara Committed", language="en"
        )
        organization = create_organization(name=f"Committed {mark}", owner=user, slug=f"c-{mark}")
        with in_organization(organization):
            member = Member.objects.get(user_id=user.pk)
        yield Person(user, member, OrganizationClient(organization, user))
        remove_organization(organization=organization)
        User.objects.filter(email__endswith="@committed.test").delete()
    finally:
        connection.close()
        django_db_blocker.restore()


CLOSING_LINES = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[CLOSING_LINES] = []


@pytest.fixture
def closing_line(pytestconfig):
    """Take a sentence that is printed when all tests have run: what the walk or the race found."""
    return pytestconfig.stash[CLOSING_LINES].append


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):  # one of several processes: the first one prints for all
        session.config.workeroutput["closing_lines"] = session.config.stash[CLOSING_LINES]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    node.config.stash[CLOSING_LINES].extend(getattr(node, "workeroutput", {}).get("closing_lines", []))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    if not hasattr(config, "workeroutput"):
        for line in config.stash.get(CLOSING_LINES, []):
            print(line)
