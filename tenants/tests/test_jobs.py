"""Owed work is a row: written with its cause, done once, tried again, never in public."""

from datetime import timedelta

import pytest
from celery import shared_task
from django.db import connection, transaction
from django.utils import timezone

from tenants import jobs
from tenants.jobs import WrongOrganization, defer, sweep
from tenants.models import Due

ran: list[tuple[str, int]] = []


@shared_task(name="tests.note")
def note(number: int) -> None:
    if number < 0:
        raise ValueError("negative")
    ran.append((connection.schema_name, number))


@pytest.fixture(autouse=True)
def _fresh():
    ran.clear()


@pytest.fixture
def nudges(monkeypatch):
    """Record nudges instead of sending them to a broker."""
    sent = []
    monkeypatch.setattr(
        jobs, "nudge", lambda task, **kwargs: sent.append((task.name, kwargs["schema_name"], kwargs["arguments"]))
    )
    return sent


def run(organization, number: int):
    return note.apply(kwargs={"number": number}, headers={"_schema_name": organization.schema_name}, throw=True)


def test_work_is_owed_with_its_cause_and_nudged_after_commit(organization, nudges, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True) as callbacks:
        defer(note, number=1)
        assert nudges == []
    assert len(callbacks) == 1
    assert nudges == [("tests.note", organization.schema_name, {"number": 1})]
    assert Due.objects.get(task="tests.note").arguments == {"number": 1}


def test_work_goes_with_a_cause_that_is_rolled_back(organization):
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012 (a cause that fails after its work was owed)
        defer(note, number=1)
        raise RuntimeError
    assert not Due.objects.exists()


def test_the_same_work_is_owed_once(organization):
    defer(note, number=1)
    defer(note, number=1)
    defer(note, number=2)
    assert Due.objects.count() == 2


def test_done_work_is_no_longer_owed_and_may_run_twice(organization):
    defer(note, number=7)
    run(organization, 7)
    run(organization, 7)
    assert ran == [(organization.schema_name, 7)] * 2
    assert not Due.objects.exists()


def test_work_that_is_owed_again_while_it_runs_is_done_again(organization, monkeypatch):
    defer(note, number=5)
    monkeypatch.setattr("tenants.tests.test_jobs.ran", Again(lambda: defer(note, number=5)))
    run(organization, 5)
    assert Due.objects.filter(arguments={"number": 5}).exists()


class Again(list):
    """A list that does something when it is added to: here, owe the same work in the middle of it."""

    def __init__(self, work):
        super().__init__()
        self.work = work

    def append(self, item):
        self.work()


def test_failed_work_is_tried_again_later_and_given_up_in_the_end(organization):
    defer(note, number=-1)
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        with pytest.raises(ValueError, match="negative"):
            run(organization, -1)
        row = Due.objects.get()
        assert row.attempts == attempt
        assert "negative" in row.last_error
    assert row.due_at is None


def test_the_sweep_nudges_what_is_overdue_only(organization, nudges):
    defer(note, number=1)
    defer(note, number=2)
    Due.objects.filter(arguments={"number": 1}).update(due_at=timezone.now() - timedelta(seconds=1))
    connection.set_schema_to_public()
    assert sweep() == 1
    assert [arguments for _task, _schema, arguments in nudges] == [{"number": 1}]
    assert sweep() == 0


def test_a_task_that_nobody_knows_waits_for_a_person(organization):
    Due.objects.create(organization=organization, task="gone.away", arguments={}, due_at=timezone.now())
    connection.set_schema_to_public()
    sweep()
    row = Due.objects.get()
    assert row.due_at is None
    assert row.last_error == "unknown task"


@pytest.mark.parametrize("schema", ["", "public", "o_gone"])
def test_a_task_without_a_living_organization_is_refused(organization, schema):
    connection.set_schema_to_public()
    with pytest.raises(WrongOrganization, match=r"tests\.note"):
        note.apply(kwargs={"number": 1}, headers={"_schema_name": schema}, throw=True)
    assert ran == []


def test_a_platform_task_is_refused_inside_an_organization(organization):
    from tenants.tasks import sweep as task

    with pytest.raises(WrongOrganization):
        task.apply(headers={"_schema_name": organization.schema_name}, throw=True)


def test_a_broker_that_is_away_costs_nothing(organization, settings):
    class Away:
        name = "tests.note"

        def apply_async(self, **kwargs):
            raise ConnectionRefusedError

    assert jobs.nudge(Away(), schema_name="o_x", arguments={}) is None
