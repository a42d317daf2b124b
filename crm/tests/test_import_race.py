"""Two workers at one import, and two imports of one file: nothing twice, nothing lost."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection

from crm.models import Contact, Import, Lead
from crm.services import import_run
from crm.services.imports import create_import, start_import
from tenants.context import in_organization

pytestmark = pytest.mark.race
ROWS = 300


@pytest.fixture(autouse=True)
def small_chunks(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(import_run, "CHUNK", 20)


def upload(person: Any, lines: str) -> int:
    import_ = create_import(actor=person.member, file=ContentFile(lines.encode()), name="leads.csv")
    start_import(actor=person.member, import_id=import_.pk, is_deferred=False)
    return import_.pk


def run_at_once(person: Any, *import_ids: int) -> None:
    def run(import_id: int) -> None:
        try:
            with in_organization(person.client.organization):
                import_run.run_import(import_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(import_ids)) as pool:
        list(pool.map(run, import_ids))


def anonymous() -> str:
    """Rows that nothing but their place in the file tells apart from a second writing."""
    return "nome\n" + "".join(f"Ana {number}\n" for number in range(ROWS))


def test_two_workers_share_one_import(committed):
    with in_organization(committed.client.organization):
        pk = upload(committed, anonymous())
    run_at_once(committed, pk, pk, pk)
    with in_organization(committed.client.organization):
        import_ = Import.objects.get()
        assert import_.status == Import.Status.DONE
        assert (import_.processed, import_.created, Lead.objects.count()) == (ROWS, ROWS, ROWS)
        order = list(Lead.objects.order_by("position").values_list("title", flat=True))
        assert order == [f"Ana {number}" for number in range(ROWS)]


def test_without_its_lock_they_would_write_rows_twice(committed, monkeypatch):
    both_have_read = Barrier(2)
    waiting = [True, True]

    def read_only(import_id: int) -> Import:
        found = Import.objects.select_related("created_by").get(pk=import_id)
        if waiting:
            waiting.pop()
            both_have_read.wait(20)
        return found

    monkeypatch.setattr(import_run, "_lock", read_only)
    with in_organization(committed.client.organization):
        pk = upload(committed, anonymous())
    run_at_once(committed, pk, pk)
    with in_organization(committed.client.organization):
        assert Lead.objects.count() > ROWS


def test_two_imports_of_one_file_make_every_lead_once(committed):
    lines = "id,nome,email,empresa,tags\n"
    for number in range(ROWS):
        external_id = f"X{number}" if number % 2 else ""
        lines += f"{external_id},Ana {number},a{number}@x.com,Loja {number % 9},t{number % 5}\n"
    with in_organization(committed.client.organization):
        ids = [upload(committed, lines), upload(committed, lines)]
    run_at_once(committed, *ids)
    with in_organization(committed.client.organization):
        first, second = Import.objects.all()
        assert {first.status, second.status} == {Import.Status.DONE}
        assert first.created + second.created == Lead.objects.count() == Contact.objects.count() == ROWS
        assert first.skipped + second.skipped == ROWS
