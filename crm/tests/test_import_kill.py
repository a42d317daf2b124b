"""A worker's process is killed in the middle of an import, again and again: nothing is lost, nothing twice."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db import connection

from crm.models import Import, ImportRow, Lead
from crm.services import import_revert, import_run
from crm.services.imports import create_import, start_import, start_revert
from members.models import AuditEntry
from tenants.context import in_organization

pytestmark = pytest.mark.race
ROWS = 1500
WORKER = """
import sys
import django
django.setup()
from django.conf import settings
from crm.services import import_revert, import_run
from tenants.context import in_organization
from tenants.models import Organization
work, slug, pk, settings.MEDIA_ROOT = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
import_run.CHUNK = import_revert.CHUNK = 20
with in_organization(Organization.objects.get(slug=slug)):
    {"import": import_run.run_import, "revert": import_revert.run_revert}[work](pk)
"""


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


def worker(work: str, person: Any, pk: int) -> subprocess.Popen[bytes]:
    url = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()
    env = os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"}
    arguments = [work, person.client.organization.slug, str(pk), str(django_settings.MEDIA_ROOT)]
    return subprocess.Popen([sys.executable, "-c", WORKER, *arguments], env=env, cwd=django_settings.BASE_DIR)


def kill_when(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    """Kill a process in whatever it is doing once something is reached."""
    limit = time.monotonic() + 60
    try:
        while not reached():
            assert process.poll() is None, "it ended by itself"
            assert time.monotonic() < limit, "it does not get on"
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_killed_in_the_middle_it_goes_on_where_it_stopped(committed):
    with in_organization(committed.client.organization):
        # Nothing but their place in the file tells these rows apart; every tenth is refused.
        lines = "titulo,valor\n" + "".join(f"Ana {n},{'-1' if n % 10 == 9 else '5'}\n" for n in range(ROWS))
        import_ = create_import(actor=committed.member, file=ContentFile(lines.encode()), name="leads.csv")
        start_import(actor=committed.member, import_id=import_.pk, is_deferred=False)

        def processed() -> int:
            return Import.objects.get().processed

        for least in (100, 400, 800):
            kill_when(lambda least=least: processed() >= least, worker("import", committed, import_.pk))
            import_.refresh_from_db()
            assert least <= import_.processed < ROWS
            assert import_.created == Lead.objects.count() == ImportRow.objects.count()
        import_run.run_import(import_.pk)
        import_.refresh_from_db()
        assert (import_.status, import_.processed) == (Import.Status.DONE, ROWS)
        titles = list(Lead.objects.order_by("position").values_list("title", flat=True))
        assert titles == [f"Ana {n}" for n in range(ROWS) if n % 10 != 9]
        refused = import_.errors_file.open().read().decode().splitlines()[1:]
        assert [int(line.split(",")[0]) for line in refused] == [n + 2 for n in range(ROWS) if n % 10 == 9]

        start_revert(actor=committed.member, import_id=import_.pk)
        kill_when(lambda: Lead.objects.current().count() < 1000, worker("revert", committed, import_.pk))
        assert Lead.objects.current().exists()
        import_revert.run_revert(import_.pk)
        import_.refresh_from_db()
        assert import_.options["revert"]["counts"] == {"done": len(titles)}
        told = AuditEntry.objects.filter(action="lead.import_archived")
        archived = [pk for entry in told for pk in entry.facts["leads"]]
        assert len(archived) == len(set(archived)) == len(titles)
