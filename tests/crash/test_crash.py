"""Processes are killed under load: what was acknowledged is there afterwards, once."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

from django.db import connection
from django.test import Client

from crm.models import Import
from crm.services.pipelines import default_pipeline
from members.services.people import add_member
from tenants.context import in_organization
from tenants.jobs import MAX_ATTEMPTS
from tenants.models import Due, Organization, User
from tenants.services import create_organization
from tests.crash.house import House
from tests.crash.ledger import broken_rules, facts_of, owed
from tests.crash.people import Book, Person

OPERATIONS = 50
SHORT, LONG = 200, 1200
DRAIN_SECONDS = 60
Stroke = tuple[int, Callable[[House], None], str, float]


@dataclass
class Outcome:
    """What one seed came to."""

    book: Book
    lost: list[tuple[object, ...]]
    doubled: list[tuple[object, ...]]
    faults: list[str]


def test_nothing_is_lost_or_doubled(house, tally, seed):
    outcome = run_seed(house, seed=seed, slug=f"crash-{seed}")
    tally.seeds += 1
    tally.operations += outcome.book.done
    tally.lost += len(outcome.lost)
    tally.doubled += len(outcome.doubled)
    assert not outcome.lost, outcome.lost[:20]
    assert not outcome.doubled, outcome.doubled[:20]
    assert not outcome.faults, outcome.faults[:20]
    assert outcome.book.done == OPERATIONS
    assert outcome.book.unanswered > 0, "nobody noticed the crashes: the rig strikes too late"


def test_pages_and_moves_go_on_while_valkey_is_away(house, pytestconfig):
    """Nobody sees an error, and what was owed meanwhile is done by workers that are started afterwards.

    A worker that lived through it sometimes stays silent on its new connection; the heartbeat tells.
    """
    organization, sessions, stages = make_organization("crash-away")
    book = Book()
    people = [
        Person(name=name, address=house.address, slug="crash-away", session=session, stages=stages, book=book, seed=0)
        for name, session in zip("abc", sessions, strict=True)
    ]
    house.wait_for_web()
    web = house.pid("web")
    until = time.monotonic() + pytestconfig.getoption("--away")
    house.kill("valkey")
    with ThreadPoolExecutor(3) as threads:
        for each in [threads.submit(work_until, person, until) for person in people]:
            each.result()
    house.start("valkey")
    house.renew("worker", "beat", "second beat")
    for person in people:
        person.settle()
    outcome = judge(organization, book)
    assert (book.complaints, book.unanswered) == ([], 0)
    assert (outcome.lost, outcome.doubled, outcome.faults) == ([], [], [])
    assert house.pid("web") == web


def work_until(person: Person, until: float) -> None:
    """Start an import, then write and look at pages until the time is over."""
    if (pk := person.upload(SHORT)) is not None:
        person.start_import(pk, SHORT)
    while time.monotonic() < until:
        person.work(2)
        for path in ("/board/", "/day/", "/leads/", "/imports/"):
            person.look(path)


def test_work_that_kills_its_process_is_given_up(house):
    """Nobody waits behind it for ever: after eight processes a person must look, and the worker goes on."""
    organization, _sessions, _stages = make_organization("crash-poison")
    house.renew("worker", "beat", "second beat")
    due = Due.objects.create(organization=organization, task="tests.poison", arguments={})
    until = time.monotonic() + DRAIN_SECONDS
    while due.due_at is not None and time.monotonic() < until:
        time.sleep(0.2)
        due.refresh_from_db()
    assert (due.due_at, due.attempts) == (None, MAX_ATTEMPTS)
    assert "died" in due.last_error
    assert house.pid("worker")


def test_without_owed_rows_the_rig_reports_a_loss(house):
    """Forget owed work as soon as it is written, so that only the nudge is left, and that is killed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN DELETE FROM tenants_due WHERE id = NEW.id; RETURN NULL; END$$;"
            "CREATE TRIGGER forget AFTER INSERT ON tenants_due FOR EACH ROW EXECUTE FUNCTION forget()"
        )
    try:
        outcome = run_seed(house, seed=1, slug="crash-forgetful")
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TRIGGER forget ON tenants_due; DROP FUNCTION forget()")
    assert any(fact[0] == "import" for fact in outcome.lost)


def run_seed(house: House, *, seed: int, slug: str) -> Outcome:
    """Let three members work while processes die, wait until nothing is owed, and compare."""
    organization, sessions, stages = make_organization(slug)
    book = Book()
    people = [
        Person(
            name=f"{slug}-{name}",
            address=house.address,
            slug=slug,
            session=session,
            stages=stages,
            book=book,
            seed=seed,
        )
        for name, session in zip("abc", sessions, strict=True)
    ]
    random, over = Random(seed), threading.Event()
    with ThreadPoolExecutor(5) as threads:
        breaker = threads.submit(strike, house, strokes(random), book, over)
        try:
            work = [
                threads.submit(import_while_nothing_works, house, people[0], random.randint(3, 10)),
                threads.submit(import_while_the_worker_dies, house, people[1], random.randint(3, 10), random.random()),
                threads.submit(people[2].work, OPERATIONS - 2 * 17),
            ]
            for each in work:
                each.result()
        finally:
            over.set()
        breaker.result()
    for person in people:
        person.settle()
    return judge(organization, book)


def make_organization(slug: str) -> tuple[Organization, list[str], list[int]]:
    """Make an organization with three members who are signed in; return their sessions, and the stages."""
    users = [
        User.objects.create_user(f"{name}@{slug}.test", "senha-bem-longa-1", name=f"Member {name}", language="en")
        for name in "abc"
    ]
    organization = create_organization(name=slug, owner=users[0], slug=slug)
    with in_organization(organization):
        for user in users[1:]:
            add_member(user=user, role="admin")
        stages = list(default_pipeline().stages.values_list("pk", flat=True))
    return organization, [session_of(user) for user in users], stages


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client.cookies["sessionid"].value


def import_while_nothing_works(house: House, person: Person, before: int) -> None:
    """Owe an import to a worker that is dead, and empty the queue before it is back."""
    person.work(before)
    if (pk := person.upload(SHORT)) is not None:
        house.kill("worker")
        person.start_import(pk, SHORT)
        house.flush()
        house.start("worker")
    person.work(17 - 2 - before)


def import_while_the_worker_dies(house: House, person: Person, before: int, moment: float) -> None:
    """Kill the worker somewhere in the three transactions of an import."""
    person.work(before)
    if (pk := person.upload(LONG)) is not None:
        person.start_import(pk, LONG)
        time.sleep(moment * 1.5)
        house.kill("worker", only="child" if moment < 0.3 else "all")
        house.start("worker")
    person.work(17 - 2 - before)


def strokes(random: Random) -> list[Stroke]:
    """Draw what breaks: after how many operations, what, its name if it must start again, and when."""
    plan: list[Stroke] = []
    for name in ("web", "web", "worker", "beat", "second beat", "valkey"):
        after, away = random.randint(2, 44), random.uniform(0.1, 1.5)
        plan.append((after, lambda house, name=name: house.kill(name), name, away))
    plan.append((random.randint(5, 44), lambda house: house.kill("worker", only="child"), "", 0))
    plan.append((random.randint(5, 44), lambda house: house.flush(), "", 0))
    return sorted(plan, key=lambda stroke: stroke[0])


def strike(house: House, plan: list[Stroke], book: Book, over: threading.Event) -> None:
    """Carry out a plan beside the people's work, and leave everything running."""
    begun: list[threading.Timer] = []
    for after, how, name, away in plan:
        while book.done < after and not over.is_set():
            time.sleep(0.01)
        how(house)
        if name:
            timer = threading.Timer(away, house.start, [name])
            timer.start()
            begun.append(timer)
    for timer in begun:
        timer.join()


def judge(organization: Organization, book: Book) -> Outcome:
    """Wait until nothing is owed, then hold what is there against what was said."""
    until = time.monotonic() + DRAIN_SECONDS
    while (left := owed(organization)) and time.monotonic() < until:
        time.sleep(0.1)
    # With nothing owed all is done. Without owed rows, give the nudges a chance.
    until = time.monotonic() + 10
    while is_importing(organization) and time.monotonic() < until:
        time.sleep(0.1)
    there = facts_of(organization)
    return Outcome(
        book,
        lost=list((book.facts - there).elements()),
        doubled=list((there - book.facts).elements()),
        faults=[*book.complaints, *(f"still owed: {each}" for each in left), *broken_rules(organization)],
    )


def is_importing(organization: Organization) -> bool:
    with in_organization(organization):
        return Import.objects.filter(status__in=["queued", "running"]).exists()
