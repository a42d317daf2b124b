"""Every task may run twice: the second run of the same message changes nothing.

A new task says below what it is given. One that says nothing fails.
"""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection
from django.utils import timezone

from config.celery import app
from crm.models import Lead
from crm.services import imports
from crm.services.follow_ups import plan_follow_up
from crm.services.leads import create_lead
from crm.services.reminders import stamp
from tests.test_isolation import fingerprint

SHEET = "Nome,E-mail\nAna,ana@cliente.test\nBia,bia@cliente.test\nsem,nada@\n"


def imported(owner: Any) -> Any:
    upload = imports.create_import(actor=owner.member, file=ContentFile(SHEET.encode(), name="x.csv"), name="x.csv")
    return imports.start_import(actor=owner.member, import_id=upload.pk)


def worn_column(owner: Any, stages: list[Any]) -> dict[str, int]:
    for number in range(3):
        create_lead(actor=owner.member, stage=stages[0], title=f"Lead {number}")
    Lead.objects.filter(title="Lead 0").update(position="a0" + "V" * 45)
    return {"stage_id": stages[0].pk}


def waiting_import(owner: Any, stages: list[Any]) -> dict[str, int]:
    return {"import_id": imported(owner).pk}


def import_to_revert(owner: Any, stages: list[Any]) -> dict[str, int]:
    run("crm.tasks.run_import", owner, {"import_id": imported(owner).pk})
    return {"import_id": imports.start_revert(actor=owner.member, import_id=owner.member.imports.get().pk).pk}


def planned_call(owner: Any, stages: list[Any]) -> dict[str, int]:
    lead = create_lead(actor=owner.member, stage=stages[0], title="Padaria Sol")
    day, at = timezone.localdate(), time(0, 0)
    step = plan_follow_up(actor=owner.member, lead_id=lead.pk, title="Ligar", day=day, at=at, reminder=10)
    return {"follow_up_id": step.pk, "instant": stamp(step.due_at - timedelta(minutes=10))}


GIVEN: dict[str, Callable[[Any, list[Any]], dict[str, int]]] = {
    "crm.tasks.rebalance_column": worn_column,
    "crm.tasks.run_import": waiting_import,
    "crm.tasks.revert_import": import_to_revert,
    "crm.tasks.remind_follow_up": planned_call,
}


def run(name: str, owner: Any, arguments: dict[str, int]) -> None:
    organization = owner.client.organization
    app.tasks[name].apply(kwargs=arguments, headers={"_schema_name": organization.schema_name}, throw=True).get()


def test_every_task_of_an_organization_is_tried():
    app.loader.import_default_modules()
    tasks = {name for name, task in app.tasks.items() if name.startswith(("crm.", "members."))}
    assert tasks == set(GIVEN)
    assert all(not app.tasks[name].runs_in_public for name in tasks)


@pytest.mark.parametrize("name", sorted(GIVEN))
def test_the_second_run_changes_nothing(owner, stages, name, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    organization = owner.client.organization
    before = fingerprint(organization)
    arguments = GIVEN[name](owner, stages)
    prepared = fingerprint(organization)
    assert prepared != before
    run(name, owner, arguments)
    once = fingerprint(organization)
    run(name, owner, arguments)
    assert fingerprint(organization) == once


@pytest.mark.parametrize("name", ["tenants.tasks.sweep", "tenants.tasks.refill_spares", "tenants.tasks.strike_hour"])
def test_platform_tasks_may_run_twice_too(organization, settings, tmp_path, name):
    settings.STATE_DIR = tmp_path
    connection.set_schema_to_public()
    for _ in range(2):
        app.tasks[name].apply(headers={"_schema_name": "public"}, throw=True).get()
        once = fingerprint(organization)
        connection.set_schema_to_public()
    app.tasks[name].apply(headers={"_schema_name": "public"}, throw=True).get()
    assert fingerprint(organization) == once
