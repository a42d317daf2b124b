"""Fill the benchmark's database: organizations as sign-up makes them, then leads in bulk.

Runs in a Django process of its own: `python -m bench.provision fill | spares COUNT | import FILE`.
"""

import os
import sys
from datetime import UTC, datetime, time
from pathlib import Path
from time import sleep

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

import psycopg  # noqa: E402
from django.core.files.base import File  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from bench.data import OWNERS, PASSWORD, SIZES, STAGES, TAGS, email_of, leads  # noqa: E402
from bench.floor import tables  # noqa: E402
from crm.models import Activity, Company, Contact, FollowUp, Import, Lead, Stage, StageChange, Tag  # noqa: E402
from crm.positions import keys_between  # noqa: E402
from crm.services.imports import IN_PROGRESS, create_import, start_import  # noqa: E402
from crm.services.people import company_key  # noqa: E402
from crm.services.pipelines import default_pipeline  # noqa: E402
from members.models import Member, Role, Team  # noqa: E402
from members.services.people import add_member  # noqa: E402
from tenants import schemas  # noqa: E402
from tenants.context import in_organization  # noqa: E402
from tenants.models import Organization, SpareSchema, User  # noqa: E402
from tenants.services import create_organization  # noqa: E402


def fill() -> None:
    """Migrate an empty database and fill it."""
    call_command("migrate_organizations")
    users = [User.objects.create_user(email_of(at), PASSWORD, name=name) for at, name in enumerate(OWNERS)]
    for size, count in SIZES.items():
        organization = create_organization(name=size, slug=size, owner=users[0])
        with in_organization(organization):
            for user in users[1:]:
                add_member(user=user, role=Role.MANAGER, team=Team.objects.first())
            fill_organization(count)
    with psycopg.connect(os.environ["DATABASE_URL"]) as floor:
        for size in SIZES:
            tables.make(floor, size)


def fill_organization(count: int) -> None:
    """Write leads with all that belongs to them into the current organization."""
    stages, owners = six_stages(), list(Member.objects.order_by("pk"))
    tags = Tag.objects.bulk_create(Tag(name=name, color=Stage.Color.values[at % 8]) for at, name in enumerate(TAGS))
    drawn = list(leads(count))
    names = {company_key(lead.company): lead.company for lead in drawn}
    made = Company.objects.bulk_create(Company(name=name, name_key=key) for key, name in names.items())
    companies = {company.name_key: company for company in made}
    contacts = Contact.objects.bulk_create(
        Contact(name=lead.contact, email=lead.email, phone=lead.phone, phone_key=lead.phone[-11:]) for lead in drawn
    )
    keys = [iter(keys_between(None, None, count)) for _stage in stages]
    rows = Lead.objects.bulk_create(
        Lead(
            title=lead.title,
            value=lead.value,
            source=lead.source,
            owner=owners[lead.owner],
            contact=contact,
            company=companies[company_key(lead.company)],
            stage=stages[lead.stage],
            position=next(keys[lead.stage]),
            expected_close=lead.due,
            outcome=Lead.Outcome.WON if stages[lead.stage].kind == Stage.Kind.WON else Lead.Outcome.OPEN,
            closed_at=lead.since if stages[lead.stage].kind == Stage.Kind.WON else None,
            created_at=lead.since,
            created_by=owners[0],
            updated_at=lead.since,
            stage_since=lead.since,
        )
        for lead, contact in zip(drawn, contacts, strict=True)
    )
    pairs = list(zip(rows, drawn, strict=True))
    through = Lead.tags.through
    through.objects.bulk_create(through(lead=row, tag=tags[at]) for row, lead in pairs for at in lead.tags)
    FollowUp.objects.bulk_create(
        FollowUp(lead=row, owner=row.owner, due_at=datetime.combine(lead.due, time(12), UTC), created_by=owners[0])
        for row, lead in pairs
        if lead.priority  # three of four have a next step
    )
    StageChange.objects.bulk_create(
        StageChange(lead=row, to_stage=row.stage, to_name=row.stage.name, actor=owners[0], at=row.created_at)
        for row in rows
    )
    Activity.objects.bulk_create(Activity(lead=row, actor=owners[0], verb="created", at=row.created_at) for row in rows)


def six_stages() -> list[Stage]:
    """Give the default pipeline the six stages of the benchmark; the last one wins."""
    pipeline = default_pipeline()
    pipeline.stages.all().delete()
    return Stage.objects.bulk_create(
        Stage(
            pipeline=pipeline,
            name=name,
            order=order,
            color=Stage.Color.values[order],
            kind=Stage.Kind.WON if name == STAGES[-1] else Stage.Kind.OPEN,
        )
        for order, name in enumerate(STAGES)
    )


def spares(count: int) -> None:
    """Have exactly so many spare schemas."""
    SpareSchema.objects.all().delete()
    for _number in range(count):
        SpareSchema.objects.create(schema_name=schemas.clone_template())


def import_by_worker(path: Path) -> None:
    """Start an import as its page does, and wait until the worker has finished it."""
    with in_organization(Organization.objects.get(slug="bench1k")):
        actor = Member.objects.order_by("pk")[0]
        with path.open("rb") as file:
            import_ = create_import(actor=actor, file=File(file), name=path.name)
        import_ = start_import(actor=actor, import_id=import_.pk)
        while import_.status in IN_PROGRESS:
            sleep(0.5)
            import_.refresh_from_db()
        if import_.status != Import.Status.DONE:
            raise SystemExit(f"the import ended as {import_.status}: {import_.error}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill"]:
            fill()
        case ["spares", wanted]:
            spares(int(wanted))
        case ["import", path]:
            import_by_worker(Path(path))
    connection.close()
