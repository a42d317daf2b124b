"""A person uploads a file, sees what it becomes, starts, waits, and reads what came of it."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from crm.models import Import, Lead
from crm.services import import_revert, import_run
from crm.services.leads import create_lead
from crm.services.pipelines import default_pipeline
from tenants.context import in_organization

TEXT = "Nome;E-mail;Valor;Cidade\nAna;a@x.com;R$ 10,00;Natal\nBia;b@x.com;-1;Recife\nCaio;a@x.com;5;Natal\n"


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def upload(person: Any, content: str | bytes = TEXT, name: str = "leads.csv") -> Any:
    data = content if isinstance(content, bytes) else content.encode()
    return person.client.post("/imports/new/", {"file": SimpleUploadedFile(name, data)})


def uploaded(person: Any, content: str | bytes = TEXT) -> Import:
    response = upload(person, content)
    assert response.status_code == 302, response.content.decode()
    import_ = Import.objects.latest("pk")
    assert response.url.endswith(f"/imports/{import_.pk}/")
    return import_


def choices(stages: Any, *meanings: str, **more: Any) -> dict[str, Any]:
    columns = {f"column_{number}": meaning for number, meaning in enumerate(meanings)}
    return {"stage": stages[0].pk, "date_order": "dmy", "decimal": ",", "is_matching_people": "on", **columns, **more}


def page(person: Any, path: str) -> str:
    response = person.client.get(path)
    assert response.status_code == 200
    return response.content.decode()


def test_the_whole_way_from_file_to_result(owner, stages):
    assert "No imports yet" in page(owner, "/imports/")
    assert "UTF-8" in page(owner, "/imports/new/")
    import_ = uploaded(owner)

    shown = page(owner, f"/imports/{import_.pk}/")
    assert "3 rows" in shown
    assert "separated by semicolon" in shown
    assert "will fail" in shown
    assert "will be skipped" in shown
    assert "The value is negative." in shown
    assert re.search(r'<option value="email" selected>', shown)
    assert "Kept as additional information: Cidade." in shown
    assert not Lead.objects.exists()

    response = owner.client.post(f"/imports/{import_.pk}/start/", choices(stages, "name", "email", "value", ""))
    assert response.status_code == 302
    import_.refresh_from_db()
    assert import_.status == Import.Status.QUEUED
    waiting = page(owner, f"/imports/{import_.pk}/")
    assert 'hx-trigger="every 1s"' in waiting
    assert "<progress" in waiting

    import_run.run_import(import_.pk)
    response = owner.client.get(f"/imports/{import_.pk}/progress/", headers={"HX-Request": "true"})
    assert "every 1s" not in response.content.decode()
    assert "1 lead imported." in response.headers["HX-Trigger"]
    done = page(owner, f"/imports/{import_.pk}/")
    assert 'data-import-created="1" data-import-skipped="1" data-import-failed="1"' in done
    assert "The value is negative." in done
    listed = page(owner, "/imports/")
    assert "leads.csv" in listed
    assert "Finished" in listed

    lead = page(owner, f"/leads/{Lead.objects.get().pk}/")
    assert "imported the lead from leads.csv, line 2" in lead
    assert "Cidade" in lead

    response = owner.client.get(f"/imports/{import_.pk}/errors/")
    assert "attachment" in response.headers["Content-Disposition"]
    text = b"".join(response.streaming_content).decode("utf-8-sig")
    assert text.splitlines()[1].startswith("3;failed;Valor;The value is negative.;-1;Bia;")


def test_changing_a_column_changes_the_preview_and_is_kept(owner, stages):
    import_ = uploaded(owner)
    path = f"/imports/{import_.pk}/preview/"
    response = owner.client.post(path, choices(stages, "title", "", "", "source"), headers={"HX-Request": "true"})
    fragment = response.content.decode()
    assert response.status_code == 200
    assert "<html" not in fragment
    assert 'id="import-preview"' in fragment
    assert "will fail" not in fragment
    import_.refresh_from_db()
    assert import_.mapping == {"Nome": "title", "E-mail": "", "Valor": "", "Cidade": "source"}


@pytest.mark.parametrize(
    ("meanings", "more", "said"),
    [
        (("title", "title", "", ""), {}, "Only one column can be “Lead title”."),
        (("", "", "value", ""), {}, "at least one column that names the lead"),
        (("password", "", "", ""), {}, "Choose a meaning for each column."),
        (("name", "", "", ""), {"stage": 999_999}, "This stage does not exist any more."),
        (("name", "", "", ""), {"date_order": "ymd"}, "ymd"),
        (("name", "", "", ""), {"decimal": ""}, "required"),
    ],
)
def test_choices_that_make_no_sense_are_told_and_change_nothing(owner, stages, meanings, more, said):
    import_ = uploaded(owner)
    chosen = choices(stages, *meanings, **more)
    for action, status in (("preview", 200), ("start", 422)):
        response = owner.client.post(f"/imports/{import_.pk}/{action}/", chosen)
        assert response.status_code == status
        assert said in response.content.decode()
    import_.refresh_from_db()
    assert import_.status == Import.Status.MAPPING
    assert import_.mapping["Nome"] == "name"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        (b"nome,email\n", "no rows"),
        (b"PK\x03\x04" + bytes(50), "ZIP archive"),
        (b"PK\x03\x04xl/workbook.xml", "Excel workbook"),
        (b"%PDF-1.7", "PDF"),
        (b"nome,nota\nAna," + b"x" * (10 * 1024 * 1024), "line 2"),
        (bytes(range(32)) * 40, "not text"),
    ],
)
def test_what_is_no_table_is_told_beside_the_field(owner, media, content, said):
    response = upload(owner, content)
    assert response.status_code == 422
    shown = response.content.decode()
    assert said in shown
    assert 'aria-invalid="true"' in shown
    assert not Import.objects.exists()
    assert not [path for path in media.rglob("*") if path.is_file()]


def test_no_file_and_a_text_instead_of_one_are_told(owner):
    for data in ({}, {"file": "leads.csv"}):
        response = owner.client.post("/imports/new/", data)
        assert response.status_code == 422
        assert "Choose a file first." in response.content.decode()


def test_a_repeated_heading_is_told_and_numbered(owner):
    import_ = uploaded(owner, "Email,Email,Nome\na@x.com,b@x.com,Ana\n")
    shown = page(owner, f"/imports/{import_.pk}/")
    assert "More than one column is called “Email”" in shown
    assert "Email (2)" in shown


def test_text_from_a_file_is_never_markup(owner):
    evil = "<script>alert(1)</script>"
    response = upload(owner, f'"{evil}",nome\n{evil},{evil}\n', name=f"{evil}.csv")
    assert response.status_code == 302
    import_ = Import.objects.get()
    for path in (f"/imports/{import_.pk}/", "/imports/"):
        assert evil not in page(owner, path)
    owner.client.post(f"/imports/{import_.pk}/start/", {})
    import_run.run_import(import_.pk)
    assert evil not in page(owner, f"/imports/{import_.pk}/")


def test_an_import_starts_once(owner, stages):
    import_ = uploaded(owner)
    chosen = choices(stages, "name", "email", "value", "")
    for _time in range(2):
        assert owner.client.post(f"/imports/{import_.pk}/start/", chosen).status_code == 302
    import_run.run_import(import_.pk)
    assert owner.client.post(f"/imports/{import_.pk}/start/", chosen).status_code == 302
    assert Lead.objects.count() == 1
    assert owner.client.post(f"/imports/{import_.pk}/preview/", chosen).status_code == 422


def test_an_import_that_stopped_can_go_on(owner, stages):
    import_ = uploaded(owner)
    Import.objects.filter(pk=import_.pk).update(status=Import.Status.FAILED, error="The power is gone.")
    shown = page(owner, f"/imports/{import_.pk}/")
    assert "The power is gone." in shown
    assert "Go on from there" in shown
    assert owner.client.post(f"/imports/{import_.pk}/start/").status_code == 302
    import_run.run_import(import_.pk)
    import_.refresh_from_db()
    assert import_.status == Import.Status.DONE


def test_discarding_deletes_the_upload(owner, django_capture_on_commit_callbacks):
    import_ = uploaded(owner)
    path = Path(import_.file.path)
    with django_capture_on_commit_callbacks(execute=True):
        assert owner.client.post(f"/imports/{import_.pk}/discard/").status_code == 302
    assert not path.exists()
    assert not Import.objects.exists()
    assert owner.client.get(f"/imports/{import_.pk}/").status_code == 404


def test_roles_without_the_right_see_nothing_of_imports(owner, colleague, viewer):
    import_ = uploaded(owner)
    for person in (colleague, viewer):
        assert person.client.get("/imports/").status_code == 403
        assert upload(person).status_code == 403
        for path in ("", "progress/", "errors/"):
            assert person.client.get(f"/imports/{import_.pk}/{path}").status_code == 403
        for path in ("preview/", "start/", "discard/"):
            assert person.client.post(f"/imports/{import_.pk}/{path}").status_code == 403
    assert Import.objects.count() == 1


def test_another_organizations_import_is_not_there(owner, stranger, elsewhere):
    with in_organization(elsewhere):
        import_ = uploaded(stranger)
        stage = default_pipeline().stages.first()
        create_lead(actor=stranger.member, stage=stage, title="Theirs", email="a@x.com")
        foreign = import_.pk
    for path in ("", "progress/", "errors/"):
        assert owner.client.get(f"/imports/{foreign}/{path}").status_code == 404
    for path in ("preview/", "start/", "discard/"):
        assert owner.client.post(f"/imports/{foreign}/{path}").status_code == 404
    mine = uploaded(owner)
    assert "Theirs" not in page(owner, f"/imports/{mine.pk}/")


def test_pages_take_few_queries(owner, stages, django_assert_max_num_queries):
    import_ = uploaded(owner, "Nome;E-mail\n" + "".join(f"Ana {n};a{n}@x.com\n" for n in range(300)))
    with django_assert_max_num_queries(25):
        owner.client.get(f"/imports/{import_.pk}/")
    with django_assert_max_num_queries(14):
        owner.client.get("/imports/")


def test_an_import_is_reverted_and_brought_back_on_its_page(owner, stages):
    import_ = uploaded(owner)
    path = f"/imports/{import_.pk}/"
    owner.client.post(f"{path}start/", choices(stages, "name", "email", "value", ""))
    assert "Revert this import" not in page(owner, path), "not while it waits"
    import_run.run_import(import_.pk)
    shown = page(owner, path)
    assert "1 lead is archived." in shown
    assert "with_changed" not in shown
    lead = Lead.objects.get()
    lead.version += 1
    lead.save()
    assert 'name="with_changed"' in page(owner, path)

    assert owner.client.post(f"{path}revert/", {"with_changed": "on"}).status_code == 302
    waiting = page(owner, path)
    assert "Reverting…" in waiting
    assert 'hx-trigger="every 1s"' in waiting
    import_revert.run_revert(import_.pk)
    response = owner.client.get(f"{path}progress/", headers={"HX-Request": "true"})
    assert "The import is reverted" in response.headers["HX-Trigger"]
    shown = page(owner, path)
    assert "1 lead is archived." in shown
    assert "1 contacts, 0 companies" in shown
    assert "reverted the import of leads.csv" in page(owner, f"/leads/{lead.pk}/")
    assert "Reverted" in page(owner, "/imports/?state=reverted")
    assert "No import is in this state." in page(owner, "/imports/?state=finished")
    assert "leads.csv" in page(owner, "/imports/?state=nonsense")

    assert owner.client.post(f"{path}restore/").status_code == 302
    assert "Bringing the leads back…" in page(owner, path)
    import_revert.run_revert(import_.pk)
    assert "1 lead was brought back." in page(owner, path)
    assert "brought the import of leads.csv back" in page(owner, f"/leads/{lead.pk}/")
    assert Lead.objects.current().count() == 1


def test_the_next_file_with_the_same_header_is_read_the_same_way(owner, stages):
    first = uploaded(owner)
    chosen = choices(stages, "title", "email", "value", "source", decimal=".")
    owner.client.post(f"/imports/{first.pk}/start/", {**chosen, "stage": stages[1].pk})
    second = uploaded(owner)
    shown = page(owner, f"/imports/{second.pk}/")
    assert "Read like the last file with these columns" in shown
    assert second.mapping == {"Nome": "title", "E-mail": "email", "Valor": "value", "Cidade": "source"}
    assert (second.options["decimal"], second.options["stage"]) == (".", stages[1].pk)

    assert owner.client.post(f"/imports/{second.pk}/guess/").status_code == 302
    shown = page(owner, f"/imports/{second.pk}/")
    assert "Read like the last file" not in shown
    second.refresh_from_db()
    assert second.mapping == {"Nome": "name", "E-mail": "email", "Valor": "value", "Cidade": ""}
    assert (second.options["decimal"], second.options["stage"]) == (",", stages[0].pk)

    other = uploaded(owner, TEXT.replace("Cidade", "Bairro"))
    assert "Read like the last file" not in page(owner, f"/imports/{other.pk}/")
