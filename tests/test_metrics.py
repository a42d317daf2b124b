"""What monitoring reads, who may read it, and what an error report never says."""

import json
import os
import subprocess
import sys
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from config import metrics as module
from core.reporting import scrub
from tenants.models import Due

pytestmark = pytest.mark.django_db
SECRET = "ana.souza@acme.test"


def read(client: Client | None = None, **headers: str) -> dict[str, float]:
    response = (client or Client()).get("/metrics", headers=headers)
    assert response.status_code == 200, response.content
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(response.content.decode())
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_never_by_organization(owner):
    owner.client.get("/people/")
    owner.client.get("/nowhere-at-all/")
    found = read()
    key = json.dumps({"method": "GET", "route": "members:people", "status": "2xx"}, sort_keys=True)
    assert found[f"loved_http_request_seconds_count{key}"] >= 1
    assert any('"status": "4xx"' in name for name in found)
    assert not [name for name in found if "acme" in name or "/o/" in name or "nowhere" in name]


def test_owed_work_and_its_delay_are_seen(organization):
    now = timezone.now()
    Due.objects.create(organization=organization, task="a", arguments={"n": 1}, due_at=now - timedelta(minutes=5))
    Due.objects.create(organization=organization, task="a", arguments={"n": 2}, due_at=now + timedelta(minutes=5))
    Due.objects.create(organization=organization, task="a", arguments={"n": 3}, due_at=None)
    found = read()
    assert found["loved_due_owed{}"] == 2
    assert found["loved_due_late{}"] == 1
    assert found["loved_dead_letters{}"] == 1
    assert 300 <= found["loved_due_lag_seconds{}"] < 330
    assert found["loved_queue_age_seconds{}"] >= 0
    assert found["loved_database_up{}"] == found["loved_valkey_up{}"] == 1


def test_a_schema_that_lacks_a_migration_is_counted(organization, monkeypatch):
    monkeypatch.setattr(module, "_behind", (0.0, 0))
    assert read()["loved_schemas_behind{}"] == 0
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f'DELETE FROM "{organization.schema_name}".django_migrations WHERE app = %s', ["crm"])
    monkeypatch.setattr(module, "_behind", (0.0, 0))
    assert read()["loved_schemas_behind{}"] == 1
    monkeypatch.setattr(module, "_behind", (0.0, 0))


def test_a_valkey_that_is_away_is_said(organization, monkeypatch):
    from core.redis import ValkeyError

    def away():
        raise ValkeyError

    monkeypatch.setattr(module, "client", away)
    found = read()
    assert found["loved_valkey_up{}"] == 0
    assert "loved_queue_length{}" not in found


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", "172.18.0.5"])
def test_neighbours_may_read_whatever_they_call_this_host(address):
    response = Client(REMOTE_ADDR=address, headers={"host": "web:8000"}).get("/metrics")
    assert response.status_code == 200


def test_strangers_and_whoever_comes_through_the_proxy_may_not():
    assert Client(REMOTE_ADDR="8.8.8.8").get("/metrics").status_code == 403
    assert Client(REMOTE_ADDR="172.18.0.2", headers={"X-Forwarded-For": "10.0.0.1"}).get("/metrics").status_code == 403


def test_with_a_token_it_alone_counts(settings):
    settings.METRICS_TOKEN = "a-long-token"
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 403
    assert Client(headers={"Authorization": "Bearer wrong"}).get("/metrics").status_code == 403
    far = Client(REMOTE_ADDR="8.8.8.8", headers={"Authorization": "Bearer a-long-token"})
    assert far.get("/metrics").status_code == 200


def test_an_error_report_says_nothing_about_a_person():
    event = {
        "user": {"email": SECRET},
        "server_name": "crm",
        "message": SECRET,
        "breadcrumbs": {"values": [{"message": SECRET}]},
        "extra": {"lead": SECRET},
        "request": {
            "method": "POST", "url": f"https://crm.test/o/acme/leads/?q={SECRET}", "query_string": f"q={SECRET}",
            "data": {"email": SECRET}, "cookies": {"sessionid": SECRET}, "env": {"REMOTE_ADDR": SECRET},
            "headers": {"Cookie": SECRET, "X-Request-Id": "abcdef12"},
        },
        "exception": {"values": [{"type": "IntegrityError", "value": f"Key (email)=({SECRET})", "stacktrace": {
            "frames": [{"function": "create_lead", "lineno": 7, "vars": {"email": SECRET}}]}}]},
    }  # fmt: skip
    left = scrub(event)
    assert SECRET not in json.dumps(left)
    assert left["exception"]["values"][0]["type"] == "IntegrityError"
    assert left["exception"]["values"][0]["stacktrace"]["frames"][0] == {"function": "create_lead", "lineno": 7}
    assert left["tags"] == {"request": "abcdef12"}


@pytest.mark.parametrize(("dsn", "imported"), [("", "False"), ("http://key@127.0.0.1:9/1", "True")])
def test_sentry_is_imported_only_where_it_has_an_address(dsn, imported, settings):
    code = "import django, sys; django.setup(); print('sentry_sdk' in sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=settings.BASE_DIR,
        env={**os.environ, "SENTRY_DSN": dsn, "DJANGO_SETTINGS_MODULE": "config.settings"},
    )  # fmt: skip
    assert run.stdout.strip() == imported
