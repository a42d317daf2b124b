"""A spreadsheet becomes leads: completely, once, and with a reason for every row that does not."""

import csv
import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.db import connection
from django.utils import translation

from bench.sample import write as write_sample
from core.errors import Forbidden, Invalid, Missing
from crm.models import Activity, Company, Contact, Import, Lead, StageChange, Tag
from crm.services import import_run
from crm.services.imports import (
    create_import,
    discard_import,
    find_import,
    preview_import,
    set_mapping,
    start_import,
)
from crm.services.leads import create_lead
from crm.signals import leads_imported
from crm.spreadsheet import SpreadsheetError
from members.models import AuditEntry
from tenants.context import in_organization
from tenants.models import Due
from tenants.services import remove_organization

OLIST = (
    Path(__file__).resolve().parents[3]
    / "shared/data/olist_marketing_funnel/olist_marketing_qualified_leads_dataset.csv"
)


@pytest.fixture(autouse=True)
def english() -> Any:
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def upload(owner: Any, text: str | bytes, name: str = "leads.csv") -> Import:
    content = text if isinstance(text, bytes) else text.encode()
    return create_import(actor=owner.member, file=ContentFile(content), name=name)


def run(owner: Any, text: str | bytes, **options: Any) -> Import:
    import_ = upload(owner, text)
    if options:
        import_.options |= options
        import_.save()
    return finish(owner, import_)


def finish(owner: Any, import_: Import) -> Import:
    start_import(actor=owner.member, import_id=import_.pk, is_deferred=False)
    import_run.run_import(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.DONE, import_.error
    assert import_.processed == import_.total == import_.created + import_.skipped + import_.failed
    return import_


def counts(import_: Import) -> tuple[int, int, int]:
    return import_.created, import_.skipped, import_.failed


def errors(import_: Import) -> list[list[str]]:
    text = import_.errors_file.open().read().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text), delimiter=import_.options["delimiter"]))


def test_everything_in_a_row_arrives(owner, colleague, stages):
    import_ = run(
        owner,
        "ID;Título;Nome;E-mail;Celular;Empresa;Valor;Origem;Etapa;Responsável;Etiquetas;Criado em;"
        "Previsão de fechamento;Observações;Cidade\n"
        "A1;Site novo;Ana Souza;ANA@x.com;(11) 8123-4567;Padaria Leão;R$ 1.234,56;Indicação;proposta;"
        "CAIO@acme.test;quente, site;31/01/2024 14:30;30/06/2024;Ligar cedo;Natal\n",
    )
    assert counts(import_) == (1, 0, 0)
    lead = Lead.objects.get()
    assert (lead.title, lead.external_id, lead.source) == ("Site novo", "A1", "Indicação")
    assert (lead.value, lead.currency) == (Decimal("1234.56"), "BRL")
    assert (lead.stage, lead.owner) == (stages[2], colleague.member)
    assert (lead.contact.name, lead.contact.email) == ("Ana Souza", "ana@x.com")
    assert (lead.contact.phone, lead.contact.phone_key) == ("+551181234567", "+5511981234567")
    assert lead.company == lead.contact.company == Company.objects.get(name="Padaria Leão")
    assert lead.created_at == datetime(2024, 1, 31, 17, 30, tzinfo=UTC)
    assert lead.expected_close == date(2024, 6, 30)
    assert {tag.name for tag in lead.tags.all()} == {"quente", "site"}
    assert lead.extra == {"Cidade": "Natal"}
    assert lead.created_by == owner.member
    assert set(lead.activities.values_list("verb", "text")) == {("imported", ""), ("note", "Ligar cedo")}
    change = StageChange.objects.get()
    assert (change.lead, change.to_stage, change.to_name) == (lead, stages[2], "Proposta")


def test_leads_come_below_the_others_in_the_order_of_the_file(owner, stages):
    create_lead(actor=owner.member, stage=stages[0], title="Before")
    run(owner, "nome,etapa\nAna,\nBia,Contato\nCaio,Lead\n")
    titles = Lead.objects.filter(stage=stages[0]).order_by("position").values_list("title", flat=True)
    assert list(titles) == ["Before", "Ana", "Caio"]


def test_doubles_are_skipped_by_id_then_e_mail_then_phone(owner, stages):
    create_lead(
        actor=owner.member, stage=stages[0], title="Old", external_id="X1", email="old@x.com", phone="11 91234-5678"
    )
    import_ = run(
        owner,
        "id,nome,email,telefone\n"
        "X1,Ana,a@x.com,\n"
        "X2,Bia,OLD@x.com,\n"
        "X3,Caio,,(11) 1234-5678\n"
        "X4,Duda,,(11) 91234 5678\n"
        "X5,Eva,e@x.com,(21) 98888-7777\n"
        "X5,Fábio,f@x.com,\n"
        "X6,Gil,E@X.com,\n"
        "X7,Hugo,h@x.com,021 8888-7777\n",
    )
    assert counts(import_) == (1, 6, 1)
    reasons = {row[0]: (row[1], row[3], row[4]) for row in errors(import_)[1:]}
    assert reasons == {
        "2": ("skipped", "A lead with this id exists already.", "Old"),
        "3": ("skipped", "A lead with this e-mail exists already.", "Old"),
        "4": ("failed", "This is not a phone number.", "(11) 1234-5678"),
        "5": ("skipped", "A lead with this phone exists already.", "Old"),
        "7": ("skipped", "This id appears earlier in the file.", "line 6"),
        "8": ("skipped", "This e-mail appears earlier in the file.", "line 6"),
        "9": ("skipped", "This phone appears earlier in the file.", "line 6"),
    }
    assert Lead.objects.filter(title="Eva").count() == 1


def test_a_switchboard_is_shared_by_people_with_their_own_e_mails(owner):
    import_ = run(
        owner,
        "nome,email,telefone\nAna,a@x.com,(11) 3456-7890\nBia,b@x.com,11 3456 7890\nCaio,,1134567890\n",
    )
    assert counts(import_) == (2, 1, 0)
    assert Contact.objects.count() == 2


def test_people_may_be_allowed_to_have_several_leads(owner):
    text = "id,título,email\nN1,Site,ana@x.com\nN2,Loja,ana@x.com\nN2,Loja,ana@x.com\n"
    import_ = run(owner, text, match_people=False)
    assert counts(import_) == (2, 1, 0)
    assert Contact.objects.count() == 1
    again = run(owner, "id,título,email\nN3,Blog,ana@x.com\n", match_people=False)
    assert counts(again) == (1, 0, 0)
    assert Contact.objects.count() == 1


def test_a_person_without_leads_gets_one_and_is_completed(owner):
    known = Contact.objects.create(email="ana@x.com")
    import_ = run(owner, "nome,email,telefone,empresa\nAna,ana@x.com,11912345678,Padaria\n")
    assert counts(import_) == (1, 0, 0)
    known.refresh_from_db()
    assert (known.name, known.phone_key, known.company.name) == ("Ana", "+5511912345678", "Padaria")


def test_companies_are_found_whatever_their_accents(owner):
    Company.objects.create(name="Padaria São João", name_key="padaria sao joao")
    run(owner, "nome,empresa\nAna,PADARIA SAO JOAO\nBia,Padaria  São João\nCaio,Nova\nDuda,nova\n")
    assert Company.objects.count() == 2


def test_a_second_import_of_the_same_file_creates_nothing(owner):
    text = "id,nome,email\n1,Ana,a@x.com\n2,Bia,b@x.com\n3,Caio,\n"
    assert counts(run(owner, text)) == (3, 0, 0)
    assert counts(run(owner, text)) == (0, 3, 0)
    assert Lead.objects.count() == 3


def test_unknown_stages_and_owners_are_told_and_kept(owner, stages):
    import_ = run(owner, "nome,etapa,responsável\nAna,Qualificação,zoe@x.com\nBia,Contato,Ana Owner\n")
    ana, bia = Lead.objects.order_by("title")
    assert (ana.stage, ana.owner) == (stages[0], None)
    assert ana.extra == {"etapa": "Qualificação", "responsável": "zoe@x.com"}
    assert (bia.stage, bia.owner) == (stages[1], owner.member)
    assert import_.options["warnings"] == {"unknown_stage": 1, "unknown_owner": 1}


def test_a_lead_in_the_last_stage_is_won(owner):
    run(owner, "nome,etapa,fechamento\nAna,Fechado,15/01/2024\nBia,Fechado,\n")
    ana, bia = Lead.objects.order_by("title")
    assert ana.outcome == bia.outcome == Lead.Outcome.WON
    assert ana.closed_at.date() == date(2024, 1, 15)
    assert bia.closed_at is not None


def test_currencies_in_use_are_taken_and_others_refused(owner):
    import_ = run(owner, "nome,valor,moeda\nAna,10,USD\nBia,R$ 20,\nCaio,30,\nDuda,40,XYZ\n")
    assert counts(import_) == (3, 0, 1)
    assert dict(Lead.objects.values_list("title", "currency")) == {"Ana": "USD", "Bia": "BRL", "Caio": "BRL"}
    assert "BRL" in errors(import_)[1][3]


def test_the_file_of_errors_holds_the_rows_and_never_a_formula(owner):
    import_ = run(owner, 'nome;email;cidade\nAna;não é;=cmd|"/C calc"!A0\nBia;b@x.com;Natal\n;;+55 11\n')
    head, ana, nobody = errors(import_)
    assert head[:5] == ["Import: line", "Import: result", "Import: column", "Import: reason", "Import: details"]
    assert head[5:] == ["nome", "email", "cidade"]
    assert ana[:6] == ["2", "failed", "email", "This is not an e-mail address.", "não é", "Ana"]
    assert ana[7].startswith("'=")
    assert nobody[:2] == ["4", "failed"]
    assert import_.options["reasons"][0][3] == 1


def test_a_corrected_file_of_errors_can_be_imported(owner):
    import_ = run(owner, "nome;email;cidade\nAna;a@x.com;Natal\nBia;b arroba x.com;+55 11 Recife\n")
    corrected = import_.errors_file.open().read().replace(b"b arroba x.com;'", b"b@x.com;'")
    again = run(owner, corrected)
    assert counts(again) == (1, 0, 0)
    bia = Lead.objects.get(title="Bia")
    assert (bia.contact.email, bia.extra) == ("b@x.com", {"cidade": "+55 11 Recife"})


def test_a_script_and_a_formula_are_only_text(owner):
    run(owner, "nome,empresa\n<script>alert(1)</script>,=1+1\n")
    assert Lead.objects.get().contact.name == "<script>alert(1)</script>"
    assert Lead.objects.get().company.name == "=1+1"


def test_a_column_of_text_does_not_become_hundreds_of_tags(owner):
    lines = "".join(f"Ana {number},palavra {number}\n" for number in range(600))
    import_ = run(owner, f"nome,tags\n{lines}")
    assert counts(import_) == (500, 0, 100)
    assert Tag.objects.count() == 500


def test_every_chunk_leaves_one_line_in_the_trail_and_one_signal(owner, monkeypatch):
    heard = []
    leads_imported.connect(lambda sender, leads, **more: heard.append(len(leads)), weak=False, dispatch_uid="test")
    monkeypatch.setattr(import_run, "CHUNK", 2)
    try:
        import_ = run(owner, "nome\nAna\nBia\nCaio\n")
    finally:
        leads_imported.disconnect(dispatch_uid="test")
    entries = AuditEntry.objects.filter(action="lead.imported", target_id=import_.pk).order_by("pk")
    assert [entry.facts["lines"] for entry in entries] == [[2, 3], [4, 4]]
    assert sum(len(entry.facts["leads"]) for entry in entries) == 3
    assert heard == [2, 1]


def test_a_run_that_broke_off_goes_on_where_it_stopped(owner, monkeypatch):
    monkeypatch.setattr(import_run, "CHUNK", 3)
    import_ = upload(
        owner, "nome,email\n" + "".join(f"Ana {n},{'x' if n % 4 == 3 else f'a{n}@x.com'}\n" for n in range(10))
    )
    start_import(actor=owner.member, import_id=import_.pk, is_deferred=False)
    real, calls = import_run._count, []

    def break_off(*arguments: Any) -> None:
        real(*arguments)
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("the power is gone")

    monkeypatch.setattr(import_run, "_count", break_off)
    with pytest.raises(RuntimeError):
        import_run.run_import(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.FAILED
    assert import_.error
    assert import_.processed == 6 == Lead.objects.count() + import_.failed
    monkeypatch.setattr(import_run, "_count", real)
    finish(owner, import_)
    assert counts(import_) == (8, 0, 2)
    assert [row[0] for row in errors(import_)[1:]] == ["5", "9"], "no line twice, none lost"


def test_running_a_finished_import_again_changes_nothing(owner):
    import_ = run(owner, "nome\nAna\n")
    import_run.run_import(import_.pk)
    start_import(actor=owner.member, import_id=import_.pk)
    import_.refresh_from_db()
    assert counts(import_) == (1, 0, 0)
    assert Lead.objects.count() == 1
    assert not Due.objects.exists()
    import_run.run_import(999_999)


def test_starting_owes_the_work_once(owner, organization):
    import_ = upload(owner, "nome\nAna\n")
    for _time in range(2):
        start_import(actor=owner.member, import_id=import_.pk)
    due = Due.objects.get()
    assert (due.task, due.arguments) == ("crm.tasks.run_import", {"import_id": import_.pk})
    import_.refresh_from_db()
    assert import_.status == Import.Status.QUEUED


def test_somebody_who_lost_the_right_imports_nothing(owner, colleague, manager):
    import_ = upload(manager, "nome\nAna\n")
    start_import(actor=manager.member, import_id=import_.pk, is_deferred=False)
    manager.member.is_active = False
    manager.member.save()
    import_run.run_import(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.FAILED
    assert not Lead.objects.exists()


def test_a_file_that_has_gone_is_told(owner):
    import_ = upload(owner, "nome\nAna\n")
    Path(import_.file.path).unlink()
    start_import(actor=owner.member, import_id=import_.pk, is_deferred=False)
    import_run.run_import(import_.pk)
    import_.refresh_from_db()
    assert (import_.status, Lead.objects.count()) == (Import.Status.FAILED, 0)
    assert "not there" in import_.error


def test_only_some_roles_import(colleague, viewer, owner):
    for person in (colleague, viewer):
        with pytest.raises(Forbidden):
            upload(person, "nome\nAna\n")
    import_ = upload(owner, "nome\nAna\n")
    with pytest.raises(Forbidden):
        find_import(actor=viewer.member, import_id=import_.pk)
    with pytest.raises(Forbidden):
        start_import(actor=colleague.member, import_id=import_.pk)


def test_an_import_of_another_organization_is_not_there(owner, elsewhere, stranger):
    with in_organization(elsewhere):
        import_ = upload(stranger, "nome\nAna\n")
        path = Path(import_.file.path)
    assert elsewhere.schema_name in path.parts
    for act in (find_import, start_import, discard_import):
        with pytest.raises(Missing):
            act(actor=owner.member, import_id=import_.pk)


def test_files_are_private_and_named_by_nobody(owner, organization, media):
    import_ = upload(owner, "nome\nAna\n", name="../../etc/pass\x00wd\\leads.csv")
    path = Path(import_.file.path)
    assert path.is_relative_to(media / organization.schema_name / "imports")
    assert "leads" not in path.name
    assert import_.original_name == "leads.csv"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nome,email\n",
        b"PK\x03\x04" + bytes(100),
        b"nome,nota\nAna," + b"x" * (10 * 1024 * 1024),
        b'nome,nota\n"Ana,ok\nBia,ok\n',
    ],
)
def test_what_is_no_table_leaves_nothing_behind(owner, media, content):
    with pytest.raises(SpreadsheetError):
        upload(owner, content)
    assert not Import.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_a_file_over_the_limit_is_refused_before_it_is_kept(owner, media, settings):
    settings.IMPORT_MAX_BYTES = 2 * 1024 * 1024
    with pytest.raises(SpreadsheetError, match="2 MB"):
        upload(owner, b"nome\n" + b"Ana\n" * 800_000)
    assert not media.exists()


def test_a_mapping_must_make_sense(owner, stages):
    import_ = upload(owner, "a,b\n1,2\n")

    def choose(mapping: dict[str, str], **options: Any) -> None:
        set_mapping(actor=owner.member, import_id=import_.pk, mapping=mapping, stage=stages[0], **options)

    for mapping in ({"a": "title"}, {"a": "title", "b": "", "c": ""}, {"a": "title", "b": "password"}):
        with pytest.raises(Invalid, match="each column"):
            choose(mapping)
    with pytest.raises(Invalid, match="Only one column"):
        choose({"a": "title", "b": "title"})
    with pytest.raises(Invalid, match="names the lead"):
        choose({"a": "source", "b": ""})
    with pytest.raises(Invalid, match="dates"):
        choose({"a": "title", "b": ""}, date_order="ymd")
    choose({"a": "title", "b": "note"}, date_order="mdy", decimal=".", is_matching_people=False)
    import_.refresh_from_db()
    assert import_.mapping == {"a": "title", "b": "note"}
    finish(owner, import_)
    with pytest.raises(Invalid, match="started"):
        choose({"a": "title", "b": ""})


def test_the_preview_shows_what_will_become_of_rows_and_writes_nothing(owner, stages):
    create_lead(actor=owner.member, stage=stages[0], title="Old", email="old@x.com")
    import_ = upload(owner, "nome,email,valor\nAna,a@x.com,10\nBia,old@x.com,20\nCaio,c@x.com,-1\nDuda,A@x.com,1\n")
    preview = preview_import(import_)
    assert [each.state for each in preview.rows] == ["created", "skipped", "failed", "skipped"]
    assert preview.counts == {"created": 1, "skipped": 2, "failed": 1}
    assert preview.rows[2].column == "valor"
    assert Lead.objects.count() == 1


def test_discarding_removes_the_files_and_keeps_the_leads(owner, django_capture_on_commit_callbacks):
    import_ = run(owner, "nome,email\nAna,a@x.com\nBia,x\n")
    paths = [Path(import_.file.path), Path(import_.errors_file.path)]
    assert all(path.exists() for path in paths)
    with django_capture_on_commit_callbacks(execute=True):
        discard_import(actor=owner.member, import_id=import_.pk)
    assert not any(path.exists() for path in paths)
    assert not Import.objects.exists()
    assert Lead.objects.count() == 1
    waiting = upload(owner, "nome\nAna\n")
    start_import(actor=owner.member, import_id=waiting.pk)
    with pytest.raises(Invalid, match="running"):
        discard_import(actor=owner.member, import_id=waiting.pk)


def test_the_files_of_an_organization_go_with_it(organization, owner, media, django_capture_on_commit_callbacks):
    run(owner, "nome,email\nAna,x\n")
    folder = media / organization.schema_name
    assert [path for path in folder.rglob("*") if path.is_file()]
    with django_capture_on_commit_callbacks(execute=True):
        remove_organization(organization=organization)
    assert not folder.exists()


def test_windows_text_arrives_whole(owner):
    import_ = run(owner, "nome;observação\nJoão Leão;“ação”\n".encode("cp1252"))
    assert import_.options["encoding"] == "cp1252"
    assert Lead.objects.get().title == "João Leão"
    assert Activity.objects.get(verb="note").text == "“ação”"


def test_eight_thousand_rows_are_counted_honestly(owner, tmp_path):
    expected = write_sample(tmp_path / "sample.csv", 8000)
    import_ = run(owner, (tmp_path / "sample.csv").read_bytes())
    assert (import_.total, *counts(import_)) == (
        expected.rows,
        expected.created,
        expected.skipped,
        expected.failed,
    )
    assert Lead.objects.count() == expected.created
    assert len(errors(import_)) == 1 + expected.skipped + expected.failed
    assert Lead.objects.values("stage", "position").distinct().count() == expected.created
    again = run(owner, (tmp_path / "sample.csv").read_bytes())
    assert (again.created, again.failed) == (0, expected.failed)


@pytest.mark.skipif(not OLIST.exists(), reason="the Olist file is not here")
def test_the_olist_file_comes_in_once(owner):
    def import_olist() -> Import:
        with OLIST.open("rb") as file:
            import_ = create_import(actor=owner.member, file=File(file), name=OLIST.name)
        return finish(owner, import_)

    assert counts(import_olist()) == (8000, 0, 0)
    lead = Lead.objects.get(external_id="8c18d1de7f67e60dbd64e3c07d7e9d5d")
    assert lead.source == "paid search"
    assert lead.title == "paid search · 8c18d1de"
    assert lead.created_at == datetime(2017, 10, 20, 2, tzinfo=UTC), "midnight in Brasília, in summer time"
    assert lead.extra == {"landing_page_id": "007f9098284a86ee80ddeb25d53e0af8"}
    assert counts(import_olist()) == (0, 8000, 0)
    assert Lead.objects.count() == 8000


def test_the_number_of_queries_does_not_grow_with_the_rows(owner, django_assert_max_num_queries):
    import_ = upload(owner, "nome,email,empresa,tags\n" + "".join(f"A {n},a{n}@x.com,C {n},t\n" for n in range(500)))
    start_import(actor=owner.member, import_id=import_.pk, is_deferred=False)
    with django_assert_max_num_queries(60):
        import_run.run_import(import_.pk)
    assert Lead.objects.count() == 500
    assert connection.schema_name == owner.client.organization.schema_name
