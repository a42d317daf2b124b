"""Backups: one organization or all of them, read in one snapshot each, into one file.

Rows leave by COPY over the connection that we have: no program of a fitting version is needed. What a
schema is made of is not in the file; its migration state is, and restoring builds the schema from that,
so that a file never brings code of its own. Columns are those of the tables and not of the models: before
an upgrade, the code is newer than the database.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone
from psycopg import sql

from core import VERSION
from tenants.archives import Writer, writing
from tenants.models import Organization, User

BOOKKEEPING = "django_migrations"
# Rows of public that belong to an organization for a minute only.
PASSING = {"handover"}
Say = Callable[[str], None]


def back_up(path: Path, *, organizations: list[Organization], with_logins: bool, say: Say = lambda line: None) -> None:
    """Write organizations to a file, each as it was at one instant.

    `with_logins` takes every user with password hash and e-mail addresses along: for a whole
    installation. Without it a user is an e-mail and a name. Raises `BadBackup`.
    """
    manifest: dict[str, Any] = {
        "product": VERSION,
        "made_at": timezone.now(),
        "postgres": connection.cursor().connection.info.server_version,
        "keys": key_fingerprints(),
        "with_logins": with_logins,
        "organizations": [],
    }
    with writing(path, manifest) as writer:
        for number, organization in enumerate(organizations):
            entry = _write_organization(writer, organization, folder=f"organizations/{number:05}/")
            manifest["organizations"].append(entry)
            say(f"{organization.slug}: {sum(table['rows'] for table in entry['tables'].values())} rows")
        users = User.objects.order_by("pk")
        if not with_logins:
            users = users.filter(memberships__organization__in=organizations).distinct()
        people = [_person(pk, with_logins=with_logins) for pk in users.values_list("pk", flat=True)]
        writer.add_json("people.json", people)


def all_organizations() -> list[Organization]:
    """List every organization, with columns that tables of every version have."""
    return list(Organization.objects.only("pk", "name", "slug", "schema_name").order_by("pk"))


def key_fingerprints() -> list[str]:
    """Name each of FIELD_KEYS without telling it, newest first."""
    return [hashlib.sha256(f"loved field key {key}".encode()).hexdigest()[:16] for key in settings.FIELD_KEYS]


def tables_of(schema: str) -> dict[str, list[str]]:
    """Return the columns of every table of a schema, as far as they are stored and not computed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace "
            "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
            "WHERE n.nspname = %s AND c.relkind = 'r' AND c.relname <> %s GROUP BY c.relname ORDER BY c.relname",
            [schema, BOOKKEEPING],
        )
        return dict(cursor.fetchall())


def sequences_of(schema: str) -> dict[str, tuple[int, bool]]:
    """Return where the numbering of every table of a schema stands: `table.column` → (last, was used)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT t.relname || '.' || a.attname, s.relname FROM pg_class s "
            "JOIN pg_depend d ON d.objid = s.oid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') "
            "JOIN pg_class t ON t.oid = d.refobjid "
            "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid "
            "JOIN pg_namespace n ON n.oid = s.relnamespace "
            "WHERE s.relkind = 'S' AND n.nspname = %s AND t.relname <> %s ORDER BY 1",
            [schema, BOOKKEEPING],
        )
        found = {}
        for owner, sequence in cursor.fetchall():
            cursor.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(sql.Identifier(schema, sequence)))
            found[owner] = tuple(cursor.fetchone())
    return found


def migrations_of(schema: str) -> list[tuple[str, str]]:
    """Return the migrations that a schema has seen, in the order in which it saw them."""
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SELECT app, name FROM {} ORDER BY id").format(sql.Identifier(schema, BOOKKEEPING)))
        return list(cursor.fetchall())


def belongings() -> list[tuple[type[models.Model], models.ForeignKey[Any, Any]]]:
    """Return every model of public whose rows belong to an organization, with the field that says so."""
    return [
        (relation.related_model, relation.field)
        for relation in Organization._meta.related_objects
        if relation.related_model._meta.model_name not in PASSING
    ]


def rows_of(model: type[models.Model], *, column: str, value: int, without: set[str]) -> list[dict[str, Any]]:
    """Return rows of a table of public as it is now, as values by column; none if there is no such table yet."""
    table = sql.Identifier("public", model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s)", [f"public.{model._meta.db_table}"])
        if cursor.fetchone()[0] is None:
            return []
        query = sql.SQL("SELECT * FROM {} WHERE {} = %s ORDER BY id").format(table, sql.Identifier(column))
        cursor.execute(query, [value])
        names = [found.name for found in cursor.description]
        return [
            {name: cell for name, cell in zip(names, row, strict=True) if name not in {"id", *without}}
            for row in cursor.fetchall()
        ]


@transaction.atomic(durable=True)
def _write_organization(writer: Writer, organization: Organization, *, folder: str) -> dict[str, Any]:
    """Write one organization in one snapshot and return what the manifest says of it."""
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    schema = organization.schema_name
    standing, tables = sequences_of(schema), {}
    for table, columns in tables_of(schema).items():
        count = _Counting(_copied(schema, table, columns))
        writer.add(f"{folder}tables/{table}", count)
        tables[table] = {"columns": columns, "rows": count.lines}
    rows = {
        model._meta.model_name: rows_of(model, column=owner.attname, value=organization.pk, without={owner.attname})
        for model, owner in belongings()
    }
    (values,) = rows_of(Organization, column="id", value=organization.pk, without={"schema_name", "slug"})
    writer.add_json(f"{folder}public.json", {"organization": values, "rows": rows})
    uploads = Path(settings.MEDIA_ROOT) / schema
    for path in sorted(path for path in uploads.rglob("*") if path.is_file()):
        writer.add_file(f"{folder}media/{path.relative_to(uploads).as_posix()}", path)
    return {
        "slug": organization.slug,
        "name": organization.name,
        "schema": schema,
        "folder": folder,
        "migrations": migrations_of(schema),
        "tables": tables,
        "sequences": standing,
    }


def _copied(schema: str, table: str, columns: list[str]) -> Iterator[bytes]:
    """Yield the rows of a table, a line each, in COPY's text format."""
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    statement = sql.SQL("COPY {} ({}) TO STDOUT").format(sql.Identifier(schema, table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for line in copy:
            yield bytes(line)


class _Counting:
    """Pass lines on in larger pieces and count them: a line break inside a value is written as two letters."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.source = lines
        self.lines = 0

    def __iter__(self) -> Iterator[bytes]:
        piece = bytearray()
        for line in self.source:
            self.lines += line.count(b"\n")
            piece += line
            if len(piece) > 65536:
                yield bytes(piece)
                piece.clear()
        yield bytes(piece)


def _person(pk: int, *, with_logins: bool) -> dict[str, Any]:
    (user,) = rows_of(User, column="id", value=pk, without={"last_login"})
    if not with_logins:
        return {"id": pk, "user": {name: user[name] for name in ("email", "name", "language")}}
    emails = EmailAddress.objects.filter(user_id=pk).order_by("pk")
    return {"id": pk, "user": user, "emails": list(emails.values("email", "verified", "primary"))}
