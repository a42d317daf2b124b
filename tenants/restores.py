"""Restoring: an organization out of a backup, beside those that are here, whole or not at all."""

import json
import logging
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import psycopg
from allauth.account.models import EmailAddress
from django.apps import apps
from django.conf import settings
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from psycopg import sql

from core.fields import EncryptedTextField
from tenants import schemas
from tenants.archives import BadBackup, Reader, reading
from tenants.backups import belongings, key_fingerprints, migrations_of, sequences_of, tables_of
from tenants.context import in_organization, leave, tenant_connection
from tenants.models import SLUG, Domain, Due, Organization, User, new_schema_name
from tenants.services import RESERVED_SLUGS
from tenants.signals import organization_restored

log = logging.getLogger(__name__)
Entry = dict[str, Any]
Say = Callable[[str], None]


def restore(
    path: Path, *, as_slug: str = "", replace: bool = False, say: Say = lambda line: None
) -> list[Organization]:
    """Restore every organization of a backup, each in one transaction of its own.

    All of the file, its keys, its migrations and the addresses are checked before the first row is
    written. `as_slug` gives the only organization of a file another address. An address that is taken
    is refused, unless `replace` says that who has it now goes for good. Raises `BadBackup`.
    """
    leave()
    with reading(path) as reader:
        entries = check(reader, as_slug=as_slug, replace=replace)
        people = {person["id"]: person for person in reader.json("people.json")}
        if reader.manifest["with_logins"] and not as_slug:
            with transaction.atomic():
                for person in people.values():
                    _user_of(person)
        return [_restore(reader, entry, people=people, slug=as_slug or entry["slug"], say=say) for entry in entries]


def check(reader: Reader, *, as_slug: str = "", replace: bool = False) -> list[Entry]:
    """Return what a backup holds, or say in one sentence why it cannot be restored here."""
    entries = cast(list[Entry], reader.manifest["organizations"])
    if as_slug and len(entries) != 1:
        raise BadBackup(f"The backup holds {len(entries)} organizations: --as can name only one.")
    if as_slug and (not SLUG.fullmatch(as_slug) or as_slug in RESERVED_SLUGS):
        raise BadBackup(f"{as_slug} cannot be an address: 3 to 40 small letters, digits and hyphens, a letter first.")
    needed, ours = reader.manifest["keys"], key_fingerprints()
    if not set(needed) <= set(ours):
        raise BadBackup(
            f"The secrets in this backup are locked with the key {needed[0]}, and FIELD_KEYS holds "
            f"{', '.join(ours)}. Add the keys of the installation that made the backup to FIELD_KEYS, after "
            "those of this one."
        )
    known = set(MigrationLoader(None).disk_migrations)
    for entry in entries:
        newer = {tuple(migration) for migration in entry["migrations"]} - known
        if newer:
            raise BadBackup(
                f"{entry['slug']} was backed up by a newer version of Loved ({reader.manifest['product']}), which "
                f"knows {min(newer)[0]}.{min(newer)[1]}: bring this installation up to date first."
            )
        slug = as_slug or entry["slug"]
        if not replace and Organization.objects.filter(slug=slug).exists():
            raise BadBackup(
                f"There is an organization with the address {slug}. Give the restored one another with --as, or "
                "say --replace to remove the one that is here."
            )
    return entries


def _restore(reader: Reader, entry: Entry, *, people: dict[int, Any], slug: str, say: Say) -> Organization:
    """Restore one organization in one transaction; its uploads go to a folder that is removed if that fails."""
    schema = new_schema_name()
    uploads = Path(settings.MEDIA_ROOT) / schema
    try:
        with transaction.atomic(durable=True):
            replaced = Organization.objects.select_for_update().filter(slug=slug).first()
            if replaced is not None:
                _remove(replaced)
            organization = _write_public(reader, entry, people=people, slug=slug, schema=schema, say=say)
            build_schema(schema, [(app, name) for app, name in entry["migrations"]])
            _fill(reader, entry, schema=schema)
            if schema in schemas.behind([schema]):
                schemas.apply_migrations(schema)
            for part, inner in reader.below(f"{entry['folder']}media/"):
                _write_upload(uploads / inner, reader.chunks(part))
            users = {old: _user_of(people[old]).pk for old in _admitted(reader, entry)}
            with in_organization(organization):
                organization_restored.send(
                    sender=Organization, organization=organization, old_schema=entry["schema"], users=users
                )
                _open_every_secret()
    except (DatabaseError, psycopg.Error, KeyError, TypeError, ValueError) as error:
        log.exception("restore failed")
        shutil.rmtree(uploads, ignore_errors=True)
        reason = str(error).partition("\n")[0]
        raise BadBackup(f"{entry['slug']} could not be restored, and nothing was changed: {reason}") from error
    except BaseException:
        shutil.rmtree(uploads, ignore_errors=True)
        raise
    rows = sum(table["rows"] for table in entry["tables"].values())
    say(f"{slug}: {rows} rows, {len(list(reader.below(entry['folder'] + 'media/')))} uploads")
    return organization


def build_schema(schema: str, migrations: list[tuple[str, str]]) -> None:
    """Make an empty schema of a migration state: a clone of the template, or migrated to just there."""
    if set(migrations) == set(migrations_of(schemas.TEMPLATE)):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [schemas.TEMPLATE_LOCK])
            cursor.execute("SELECT public.clone_organization(%s, %s)", [schemas.TEMPLATE, schema])
        return
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
    tenant_connection.set_schema(schema, include_public=False)
    try:
        MigrationRecorder(connection).ensure_schema()
        tenant_connection.set_schema(schema)
        executor = MigrationExecutor(connection)
        wanted = set(migrations)
        # The last ones of each app: to name one that others of its app build on would undo those.
        targets = [
            node
            for node in sorted(wanted)
            if not any(
                child.key[0] == node[0] and child.key in wanted
                for child in executor.loader.graph.node_map[node].children
            )
        ]
        executor.migrate(targets)
    finally:
        leave()


def _write_public(
    reader: Reader, entry: Entry, *, people: dict[int, Any], slug: str, schema: str, say: Say
) -> Organization:
    """Write an organization's rows of public. Hosts and owed work stay with an original that is still here."""
    public = reader.json(f"{entry['folder']}public.json")
    is_copy = Organization.objects.filter(schema_name=entry["schema"]).exists() or slug != entry["slug"]
    organization = Organization(slug=slug, schema_name=schema, **_values(Organization, public["organization"]))
    organization.save()
    for model, owner in belongings():
        rows = public["rows"].get(str(model._meta.model_name), [])
        if is_copy and model in (Domain, Due):
            if rows:
                say(f"{slug}: {len(rows)} rows of {model._meta.model_name} stay with the original, they act outside")
            continue
        for row in rows:
            if model is Domain and Domain.objects.filter(domain=row["domain"]).exists():
                say(f"{slug}: the host {row['domain']} belongs to another organization now")
                continue
            _write_row(model, {**row, owner.attname: organization.pk}, people=people)
    return organization


def _write_row(model: type[models.Model], row: dict[str, Any], *, people: dict[int, Any]) -> None:
    values = _values(model, row)
    for field in model._meta.concrete_fields:
        if field.related_model is User and values.get(field.attname) is not None:
            values[field.attname] = _user_of(people[values[field.attname]]).pk
    model._default_manager.create(**values)


def _admitted(reader: Reader, entry: Entry) -> set[int]:
    """Return the users of the backup who had a door to this organization."""
    return {row["user_id"] for row in reader.json(f"{entry['folder']}public.json")["rows"]["membership"]}


def _values(model: type[models.Model], row: dict[str, Any]) -> dict[str, Any]:
    """Read a row's values as the columns of today; a column that is gone is left out."""
    fields = {field.attname: field for field in model._meta.concrete_fields}
    return {name: _value(fields[name], value) for name, value in row.items() if name in fields}


def _value(field: Any, value: Any) -> Any:
    """Read one value of a backup; JSON is written as PostgreSQL shows it."""
    return json.loads(value) if isinstance(field, models.JSONField) and value is not None else field.to_python(value)


def _user_of(person: dict[str, Any]) -> User:
    """Find a person by e-mail, or make a user: with the password of the backup if it holds one, else with none."""
    email = person["user"]["email"].strip().lower()
    user = User.objects.filter(email__iexact=email).first()
    if user is None:
        user = User(**{**_values(User, person["user"]), "email": email})
        if not person["user"].get("password"):
            user.set_unusable_password()
        user.save()
        EmailAddress.objects.bulk_create(EmailAddress(user=user, **row) for row in person.get("emails", []))
    return user


def _fill(reader: Reader, entry: Entry, *, schema: str) -> None:
    """Copy the rows in, set the numbering, and compare counts."""
    here = tables_of(schema)
    if {name: set(table["columns"]) for name, table in entry["tables"].items()} != {
        name: set(columns) for name, columns in here.items()
    }:
        raise BadBackup(f"The tables of {entry['slug']} are not those that its migrations make: this is a wrong file.")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")  # tables come in any order; removing somebody wants it otherwise
        for name, table in entry["tables"].items():
            columns = sql.SQL(", ").join(map(sql.Identifier, table["columns"]))
            into = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(schema, name), columns)
            with cursor.copy(into) as copy:
                for chunk in reader.chunks(f"{entry['folder']}tables/{name}"):
                    copy.write(chunk)
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name)))
            count = cursor.fetchone()[0]
            if count != table["rows"]:
                raise BadBackup(f"{name} has {count} rows instead of {table['rows']}: the backup is damaged.")
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # a broken reference shows here, not at the end
        for owner in sequences_of(schema):
            last, was_used = entry["sequences"][owner]
            table_name, column = owner.split(".")
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s, %s)",
                [f'"{schema}"."{table_name}"', column, last, was_used],
            )
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def _write_upload(path: Path, chunks: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)
    path.chmod(0o600)


def _open_every_secret() -> None:
    """Read every secret of the organization: one that no key opens ends the restore."""
    for label in settings.TENANT_APPS:
        for model in apps.get_app_config(label).get_models():
            names = [field.name for field in model._meta.concrete_fields if isinstance(field, EncryptedTextField)]
            if names:
                for _row in model._default_manager.values_list(*names).iterator(chunk_size=500):
                    pass


def _remove(organization: Organization) -> None:
    schema = organization.schema_name
    organization.delete()
    schemas.drop_schema(schema)
    transaction.on_commit(partial(shutil.rmtree, Path(settings.MEDIA_ROOT) / schema, ignore_errors=True))
