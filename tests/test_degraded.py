"""Valkey is away: pages, moves and new work go on, and somebody is told."""

import pytest
from django.core.cache import caches

from core import redis as door
from core.cache import ForgivingRedisCache
from crm.models import Lead
from crm.services.leads import create_lead
from tenants.models import Due

pytestmark = pytest.mark.django_db


@pytest.fixture
def no_valkey(settings, owner, stages):
    """Point every user of Valkey at a socket that is not there."""
    lead = create_lead(actor=owner.member, stage=stages[0], title="Padaria Sol")
    settings.REDIS_URL = "unix:///nowhere/valkey.sock?db=0"
    door.client.cache_clear()
    here = caches["default"]
    caches["default"] = ForgivingRedisCache(settings.REDIS_URL, {})
    yield lead
    caches["default"] = here
    door.client.cache_clear()


def test_pages_and_moves_go_on(owner, no_valkey, stages, django_capture_on_commit_callbacks):
    for path in ("/day/", "/board/", "/leads/", f"/leads/{no_valkey.pk}/", "/people/", "/imports/"):
        assert owner.client.get(path).status_code == 200, path
    with django_capture_on_commit_callbacks(execute=True):
        response = owner.client.post(
            f"/leads/{no_valkey.pk}/move/", {"stage": stages[2].pk, "version": no_valkey.version},
            headers={"HX-Request": "true"},
        )  # fmt: skip
    assert response.status_code == 200
    assert Lead.objects.get(pk=no_valkey.pk).stage == stages[2]


def test_new_work_is_owed_and_waits(organization, no_valkey, stages, django_capture_on_commit_callbacks):
    from crm.tasks import rebalance_column
    from tenants.jobs import defer

    with django_capture_on_commit_callbacks(execute=True):
        defer(rebalance_column, stage_id=stages[0].pk)
    assert Due.objects.filter(task="crm.tasks.rebalance_column").exists()


def test_health_says_degraded_and_not_down(owner, no_valkey):
    response = owner.client.get("/health/ready")
    assert response.status_code == 200
    assert response.json() == {"status": "degraded", "database": True, "valkey": False, "worker": "unknown"}
