"""An import goes back: what it made is put away, what people touched stays, and all of it can return."""

from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.utils import translation

from core.errors import Forbidden, Invalid
from crm.models import Activity, Company, Contact, Import, ImportRow, Lead
from crm.services import import_revert, import_run
from crm.services.contacts import add_contact_note
from crm.services.imports import create_import, extent_of, start_import, start_restore, start_revert
from crm.services.leads import add_note, archive_lead, create_lead, move_lead, restore_lead
from crm.signals import leads_archived
from members.models import AuditEntry
from tenants.models import Due

FILE = "id,titulo,nome,email,empresa\n" + "".join(f"X{n},Ana {n},Ana {n},a{n}@x.com,Loja {n // 3}\n" for n in range(9))


@pytest.fixture(autouse=True)
def english(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(import_run, "CHUNK", 4)
    monkeypatch.setattr(import_revert, "CHUNK", 4)
    with translation.override("en"):
        yield


def imported(person: Any, text: str = FILE) -> Import:
    import_ = create_import(actor=person.member, file=ContentFile(text.encode()), name="leads.csv")
    start_import(actor=person.member, import_id=import_.pk, is_deferred=False)
    import_run.run_import(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.DONE, import_.error
    return import_


def reverted(person: Any, import_: Import, **more: Any) -> Import:
    start_revert(actor=person.member, import_id=import_.pk, **more)
    import_revert.run_revert(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.REVERTED
    return import_


def restored(person: Any, import_: Import) -> Import:
    start_restore(actor=person.member, import_id=import_.pk)
    import_revert.run_revert(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.DONE
    return import_


def current() -> set[str]:
    return set(Lead.objects.current().values_list("title", flat=True))


def lead(number: int) -> Lead:
    return Lead.objects.get(title=f"Ana {number}")


def test_all_that_it_made_is_put_away_and_told_once(owner, stages, monkeypatch):
    create_lead(actor=owner.member, stage=stages[0], title="Before", contact_name="Old", company_name="Loja 0")
    told: list[Any] = []
    monkeypatch.setattr(import_revert, "announce_bulk", lambda **news: told.append(news))
    heard: list[Any] = []
    leads_archived.connect(lambda sender, leads, **more: heard.append(len(leads)), weak=False, dispatch_uid="test")
    try:
        import_ = imported(owner)
        reverted(owner, import_)
    finally:
        leads_archived.disconnect(dispatch_uid="test")
    assert import_.options["revert"]["counts"] == {"done": 9, "contacts": 9, "companies": 2}
    assert current() == {"Before"}
    assert set(Company.objects.current().values_list("name", flat=True)) == {"Loja 0"}
    assert [contact.name for contact in Contact.objects.current()] == ["Old"]
    assert Lead.objects.count() == 10, "nothing is deleted"
    assert Activity.objects.filter(verb="archived", facts__file="leads.csv").count() == 9
    assert heard == [4, 4, 1]
    assert [news["stage_ids"] for news in told] == [[stages[0].pk]]
    entries = AuditEntry.objects.filter(action="lead.import_archived", actor=owner.member)
    assert sum(len(entry.facts["leads"]) for entry in entries) == 9
    assert AuditEntry.objects.get(action="import.reverted").facts["done"] == 9


def test_what_people_changed_stays_and_is_counted(owner, stages):
    import_ = imported(owner)
    add_note(actor=owner.member, lead_id=lead(0).pk, text="Calls back on Monday")
    move_lead(actor=owner.member, lead_id=lead(1).pk, stage_id=stages[1].pk)
    archive_lead(actor=owner.member, lead_id=lead(2).pk)
    assert (extent_of(import_).leads, extent_of(import_).changed) == (8, 2)
    reverted(owner, import_)
    assert current() == {"Ana 0", "Ana 1"}
    counts = import_.options["revert"]["counts"]
    assert (counts["done"], counts["changed"], counts["gone"]) == (6, 2, 1)
    assert {contact.name for contact in Contact.objects.current()} == {"Ana 0", "Ana 1"}
    assert [company.name for company in Company.objects.current()] == ["Loja 0"]


def test_changed_leads_go_too_if_asked(owner, stages):
    import_ = imported(owner)
    move_lead(actor=owner.member, lead_id=lead(1).pk, stage_id=stages[1].pk)
    reverted(owner, import_, with_changed=True)
    assert current() == set()


def test_a_person_somebody_wrote_about_stays(owner, stages):
    import_ = imported(owner)
    add_contact_note(actor=owner.member, contact_id=lead(4).contact_id, text="Met at the fair")
    reverted(owner, import_)
    assert [contact.name for contact in Contact.objects.current()] == ["Ana 4"]
    assert [company.name for company in Company.objects.current()] == ["Loja 1"]


def test_people_of_two_rows_go_with_the_last_of_them(owner, stages):
    text = "nome,email\n" + "Ana,a@x.com\n" * 6
    import_ = create_import(actor=owner.member, file=ContentFile(text.encode()), name="leads.csv")
    import_.options["match_people"] = False
    import_.save()
    start_import(actor=owner.member, import_id=import_.pk, is_deferred=False)
    import_run.run_import(import_.pk)
    assert (Lead.objects.count(), Contact.objects.count()) == (6, 1)
    reverted(owner, import_)
    assert not Contact.objects.current().exists()
    restored(owner, import_)
    assert Contact.objects.current().count() == 1


def test_the_corrected_file_can_be_imported_again(owner, stages):
    known = create_lead(actor=owner.member, stage=stages[0], title="Old", contact_name="Eva", email="a0@x.com")
    archive_lead(actor=owner.member, lead_id=known.pk)
    text = FILE.replace("Ana 0,a0@x.com", "Ana 0,b0@x.com")
    reverted(owner, imported(owner, text))
    again = imported(owner, text)
    assert (again.created, again.skipped) == (9, 0)
    assert set(Lead.objects.current().values_list("external_id", flat=True)) == {f"X{n}" for n in range(9)}
    assert Company.objects.current().count() == 3


def test_it_can_be_brought_back(owner, stages):
    import_ = imported(owner)
    before = list(Lead.objects.order_by("pk").values_list("title", "external_id", "stage", "position"))
    move_lead(actor=owner.member, lead_id=lead(1).pk, stage_id=stages[1].pk)
    move_lead(actor=owner.member, lead_id=lead(1).pk, stage_id=stages[0].pk)
    reverted(owner, import_, with_changed=True)
    assert not Lead.objects.exclude(external_id="").exists()
    restored(owner, import_)
    assert import_.options["restored"]["counts"]["done"] == 9
    after = list(Lead.objects.current().order_by("pk").values_list("title", "external_id", "stage", "position"))
    assert [row[:3] for row in after] == [row[:3] for row in before]
    assert (Contact.objects.current().count(), Company.objects.current().count()) == (9, 3)
    assert Activity.objects.filter(verb="restored").count() == 9
    assert extent_of(import_).changed == 1, "a move stays a change"
    reverted(owner, import_)
    assert current() == {"Ana 1"}


def test_a_lead_whose_id_is_in_use_again_stays_away(owner, stages):
    import_ = imported(owner)
    reverted(owner, import_)
    imported(owner, "id,nome\nX3,Somebody else\n")
    restored(owner, import_)
    assert import_.options["restored"]["counts"] == {"done": 8, "taken": 1}
    assert Lead.objects.current().filter(external_id="X3").get().title == "Somebody else"


def test_what_was_restored_by_hand_is_left_alone(owner, stages):
    import_ = imported(owner)
    reverted(owner, import_)
    restore_lead(actor=owner.member, lead_id=lead(5).pk)
    restored(owner, import_)
    assert import_.options["restored"]["counts"]["done"] == 8
    assert len(current()) == 9


def test_twice_and_killed_in_between_it_is_done_once(owner, stages, monkeypatch):
    import_ = imported(owner)
    start_revert(actor=owner.member, import_id=import_.pk)
    start_revert(actor=owner.member, import_id=import_.pk, with_changed=True)
    assert Due.objects.filter(task="crm.tasks.revert_import").count() == 1
    assert import_revert._run_chunk(import_.pk)
    assert Lead.objects.current().count() == 5

    def killed(*_arguments: Any, **_more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(import_revert, "_tell", killed)
        with pytest.raises(KeyboardInterrupt):
            import_revert.run_revert(import_.pk)
    assert Lead.objects.current().count() == 5, "half a chunk is none"
    import_revert.run_revert(import_.pk)
    import_revert.run_revert(import_.pk)
    import_.refresh_from_db()
    assert import_.options["revert"]["counts"]["done"] == 9
    assert Activity.objects.filter(verb="archived").count() == 9
    assert AuditEntry.objects.filter(action="import.reverted").count() == 1
    import_run.run_import(import_.pk)
    assert not current(), "a late worker of the import itself does nothing"


def test_it_needs_the_rights_and_something_to_revert(owner, colleague, stages):
    import_ = imported(owner)
    for start in (start_revert, start_restore):
        with pytest.raises(Forbidden):
            start(actor=colleague.member, import_id=import_.pk)
    ImportRow.objects.all().delete()
    with pytest.raises(Invalid):
        start_revert(actor=owner.member, import_id=import_.pk)
    waiting = create_import(actor=owner.member, file=ContentFile(FILE.encode()), name="leads.csv")
    with pytest.raises(Invalid):
        start_revert(actor=owner.member, import_id=waiting.pk)
