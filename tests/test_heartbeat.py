"""A worker that stops is noticed within two minutes."""

import time

import pytest
from django.conf import settings

from config.celery import app
from core.redis import client
from tenants import heartbeat

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_key(monkeypatch):
    monkeypatch.setattr(heartbeat, "KEY", f"loved:heartbeat:{time.monotonic_ns()}")
    yield
    client().delete(heartbeat.KEY)


def ready(owner) -> tuple[str, str]:
    answer = owner.client.get("/health/ready")
    assert answer.status_code == 200
    return answer.json()["status"], answer.json()["worker"]


def test_before_the_first_pulse_nobody_is_alarmed(owner):
    assert ready(owner) == ("ready", "unknown")


def test_the_task_that_beat_sends_shows_that_a_worker_is_alive(owner):
    app.loader.import_default_modules()
    entry = next(each for each in settings.CELERY_BEAT_SCHEDULE.values() if each["task"] == "tenants.tasks.heartbeat")
    assert entry["schedule"] <= 60
    app.tasks["tenants.tasks.heartbeat"].run()
    assert ready(owner) == ("ready", "ok")


def test_after_two_minutes_without_one_it_is_stalled_and_the_state_degraded(owner):
    client().set(heartbeat.KEY, int(time.time()) - heartbeat.STALLED_AFTER - 1)
    assert heartbeat.STALLED_AFTER == 120
    assert ready(owner) == ("degraded", "stalled")
