"""`import_leads` imports without a browser, and says what came of it."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bench.sample import write
from crm.models import Import, Lead
from members.models import AuditEntry


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


def call(*arguments: Any) -> str:
    output = io.StringIO()
    call_command("import_leads", *map(str, arguments), stdout=output)
    return output.getvalue()


def test_it_prints_one_json_object(owner, tmp_path):
    expected = write(tmp_path / "leads.csv", 200)
    found = json.loads(call("acme", tmp_path / "leads.csv", "--json"))
    assert set(found) == {"rows", "created", "skipped", "failed", "seconds"}
    assert (found["rows"], found["created"]) == (200, expected.created) == (200, Lead.objects.count())
    assert (found["skipped"], found["failed"]) == (expected.skipped, expected.failed)
    assert Import.objects.get().created_by == owner.member
    assert AuditEntry.objects.filter(action="lead.imported", actor=owner.member).exists()


def test_people_get_a_sentence_and_the_file_of_reasons(owner, tmp_path):
    (tmp_path / "leads.csv").write_text("nome,email\nAna,a@x.com\nBia,x\n")
    said = call("acme", tmp_path / "leads.csv")
    assert "2 rows: 1 created, 0 skipped, 1 failed" in said
    assert Import.objects.get().errors_file.path in said


@pytest.mark.parametrize(
    ("slug", "content", "said"),
    [
        ("nowhere", b"nome\nAna\n", "no organization"),
        ("acme", None, "no file"),
        ("acme", b"", "empty"),
        ("acme", b"%PDF-1.7", "PDF"),
        ("acme", b"cor\nazul\n", "names the lead"),
    ],
)
def test_what_cannot_be_imported_is_one_sentence(owner, tmp_path, slug, content, said):
    path = tmp_path / "leads.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CommandError, match=said):
        call(slug, path, "--json")
    assert not Lead.objects.exists()


def test_another_member_may_be_named_if_their_role_allows_it(owner, manager, colleague, tmp_path):
    (tmp_path / "leads.csv").write_text("nome\nAna\n")
    call("acme", tmp_path / "leads.csv", "--as", "MARA@acme.test")
    assert Import.objects.get().created_by == manager.member
    with pytest.raises(CommandError):
        call("acme", tmp_path / "leads.csv", "--as", "caio@acme.test")
    with pytest.raises(CommandError, match="no such"):
        call("acme", tmp_path / "leads.csv", "--as", "nobody@acme.test")
