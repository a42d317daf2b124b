"""The trail is proved: what is altered, removed or slipped in is named."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from members.models import AuditDetail, AuditEntry, AuditSeal
from members.services import audit, sealing
from tenants.context import in_organization
from tenants.signals import organization_hour


@pytest.fixture(autouse=True)
def heads(settings, tmp_path):
    settings.STATE_DIR = tmp_path
    return tmp_path / "audit-heads"


@pytest.fixture
def entries(owner):
    return [
        audit.record(
            actor=owner.member, action="test", target=owner.member, after={"name": f"n{number}"}, number=number
        )
        for number in range(5)
    ]


def as_superuser(statement: str, *values) -> None:
    """Change a guarded table the way somebody with the database in their hands would."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")  # triggers off
        cursor.execute(statement, values)
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")


def test_entries_are_sealed_once_and_found_intact(entries, heads, organization):
    sealing.seal()
    assert sealing.seal() == []
    verdict = sealing.verify()
    assert verdict.faults == []
    assert verdict.entries == AuditEntry.objects.count()
    assert verdict.unsealed == 0
    assert verdict.head in (heads / f"{organization.schema_name}.txt").read_text()


def test_later_entries_continue_the_chain(entries, owner):
    first = sealing.seal()[-1]
    audit.record(actor=owner.member, action="later", target=owner.member)
    second = sealing.seal()[-1]
    assert second.previous == first.seal
    assert sealing.verify(head=first.seal).faults == []


def test_many_entries_become_several_seals(entries, monkeypatch):
    monkeypatch.setattr(sealing, "MOST_ENTRIES", 2)
    assert len(sealing.seal()) >= 3
    assert sealing.verify().faults == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE members_auditentry SET action = 'harmless' WHERE id = %s", "was altered"),
        ("UPDATE members_auditentry SET facts = '{}' WHERE id = %s", "was altered"),
        ("UPDATE members_auditentry SET at = at + interval '1 microsecond' WHERE id = %s", "was altered"),
        ('UPDATE members_auditdetail SET after = \'{"name": "x"}\' WHERE entry_id = %s', "details of entry"),
        ("DELETE FROM members_auditentry WHERE id = %s", "was removed"),
    ],
)
def test_what_a_superuser_alters_is_named(entries, statement, words):
    sealing.seal()
    as_superuser(statement, entries[2].pk)
    faults = sealing.verify().faults
    assert len(faults) == 1
    assert words in faults[0]
    assert str(entries[2].pk) in faults[0]


def test_an_entry_slipped_in_is_named(entries):
    gap = entries[-1].pk + 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('members_auditentry', 'id'), %s)", [gap])
    audit.record(actor=None, action="x", target=entries[0].actor)
    sealing.seal()
    as_superuser(
        "INSERT INTO members_auditentry (id, at, action, target, request_id, facts, detail_hash) "
        "VALUES (%s, now(), 'forged', 'member', '', '{}', '')",
        gap,
    )
    assert sealing.verify().faults == [f"entry {gap} was slipped in after its time was sealed"]


def test_a_forged_chain_lacks_the_head_that_was_written_down(entries):
    head = sealing.seal()[-1].seal
    as_superuser("DELETE FROM members_auditseal")
    as_superuser("UPDATE members_auditentry SET action = 'harmless' WHERE id = %s", entries[0].pk)
    sealing.seal()
    assert sealing.verify().faults == []
    assert "not part of the chain" in sealing.verify(head=head).faults[0]


def test_a_changed_seal_is_named(entries):
    one = sealing.seal()[-1]
    as_superuser("UPDATE members_auditseal SET previous = 'x' WHERE id = %s", one.pk)
    assert "does not follow" in sealing.verify().faults[0]


def test_erasing_a_person_leaves_the_proof_whole(entries):
    sealing.seal()
    AuditDetail.objects.all().delete()
    assert sealing.verify().faults == []


def test_seals_cannot_be_changed_without_tricks(entries):
    sealing.seal()
    for statement in ("UPDATE members_auditseal SET seal = 'x'", "DELETE FROM members_auditseal"):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_every_hour_the_trail_is_sealed(entries, organization):
    organization_hour.send(sender=None, organization=organization)
    assert AuditSeal.objects.exists()


def test_the_command_says_intact_or_names_the_fault(entries):
    connection.set_schema_to_public()
    out = StringIO()
    call_command("audit_verify", "acme", stdout=out)
    assert "intact" in out.getvalue()
    with pytest.raises(CommandError):
        call_command("audit_verify", "nowhere")


def test_an_entry_that_is_still_being_written_is_not_overtaken(committed):
    """A lower number may commit after a higher one: the sealer waits for it instead of sealing past it."""
    organization = committed.client.organization
    writing, finish = threading.Event(), threading.Event()

    def slow():
        with in_organization(organization), transaction.atomic():
            audit.record(actor=None, action="slow", target=committed.member)
            writing.set()
            finish.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    writing.wait(10)
    with in_organization(organization):
        assert sealing.seal() == []
    finish.set()
    thread.join()
    with in_organization(organization):
        audit.record(actor=None, action="quick", target=committed.member)
        sealing.seal()
        verdict = sealing.verify()
    assert verdict.faults == []
    assert verdict.unsealed == 0
