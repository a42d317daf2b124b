"""My day: what is mine, what moved, what waits."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from crm.models import Lead, StageChange
from crm.services import leads as service


@pytest.fixture
def mine(owner, stages) -> list[Lead]:
    return [
        service.create_lead(
            actor=owner.member, stage=stages[0], title=f"Lead {value}", value=Decimal(value), owner=owner.member
        )
        for value in (100, 300, 200)
    ]


def context(person, query: str = ""):
    response = person.client.get(f"/day/{query}")
    assert response.status_code == 200
    return response.context


def test_a_new_organization_is_shown_three_ways_to_begin(owner, viewer):
    page = owner.client.get("/day/").content.decode()
    for path in ("/leads/new/", "/people/"):
        assert owner.client.at(path) in page
    assert "Import a spreadsheet" in page
    page = viewer.client.get("/day/").content.decode()
    assert "You will see them here" in page
    assert viewer.client.at("/leads/new/") not in page


def test_my_open_leads_by_value_and_by_age(owner, mine, stages):
    service.lose_lead(actor=owner.member, lead_id=mine[0].pk, reason="Price")
    Lead.objects.filter(pk=mine[2].pk).update(created_at=timezone.now() - timedelta(days=9))
    shown = context(owner)
    assert [lead.title for lead in shown["open_leads"]] == ["Lead 300", "Lead 200"]
    assert (shown["counts"]["open"], shown["counts"]["open_value"]) == (2, Decimal(500))
    shown = context(owner, "?order=age")
    assert [(lead.title, lead.days) for lead in shown["open_leads"]] == [("Lead 200", 9), ("Lead 300", 0)]


def test_other_peoples_leads_are_not_mine(owner, colleague, mine):
    assert context(colleague)["counts"]["open"] == 0
    assert "You have no open leads" in colleague.client.get("/day/").content.decode()


def test_another_currency_is_not_added_up(owner, mine):
    Lead.objects.filter(pk=mine[1].pk).update(currency="USD")
    shown = context(owner)
    assert shown["counts"]["open_value"] == Decimal(300)
    assert [lead.title for lead in shown["open_leads"]] == ["Lead 200", "Lead 100", "Lead 300"]


def test_what_anybody_moved_today_as_the_organization_counts_days(owner, manager, mine, stages):
    for lead in mine:
        service.move_lead(actor=manager.member, lead_id=lead.pk, stage_id=stages[1].pk)
    midnight = timezone.localtime(timezone=ZoneInfo("America/Sao_Paulo")).replace(
        hour=0, minute=0, second=0, microsecond=0
    )
    StageChange.objects.filter(lead=mine[0], from_stage=stages[0]).update(at=midnight.astimezone(UTC))
    StageChange.objects.filter(lead=mine[1], from_stage=stages[0]).update(at=midnight - timedelta(seconds=1))
    shown = context(owner)
    assert shown["moved_count"] == 2
    assert {move.lead for move in shown["moved"]} == {mine[0], mine[2]}
    assert "Mara Manager" in owner.client.get("/day/").content.decode()


def test_what_nobody_touched_for_a_week(owner, mine):
    Lead.objects.filter(pk=mine[0].pk).update(updated_at=timezone.now() - timedelta(days=7, minutes=1))
    Lead.objects.filter(pk=mine[1].pk).update(updated_at=timezone.now() - timedelta(days=6, hours=23))
    shown = context(owner)
    assert [(lead.title, lead.days) for lead in shown["quiet"]] == [("Lead 100", 7)]
    service.add_note(actor=owner.member, lead_id=mine[0].pk, text="x")
    assert not context(owner)["quiet"]


def test_won_this_month(owner, mine, stages):
    for lead in mine[:2]:
        service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[-1].pk)
    Lead.objects.filter(pk=mine[0].pk).update(closed_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert (context(owner)["counts"]["won"], context(owner)["counts"]["won_value"]) == (1, Decimal(300))


def test_leads_without_owner_are_pointed_out_to_who_may_take_them(owner, viewer, mine, stages):
    service.create_lead(actor=owner.member, stage=stages[0], title="Nobody's")
    assert "1 open lead has no owner" in owner.client.get("/day/").content.decode()
    assert "has no owner" not in viewer.client.get("/day/").content.decode()


def test_archived_leads_are_nowhere(owner, mine, stages):
    service.move_lead(actor=owner.member, lead_id=mine[0].pk, stage_id=stages[1].pk)
    for lead in mine:
        service.archive_lead(actor=owner.member, lead_id=lead.pk)
    shown = context(owner)
    assert (shown["counts"]["open"], shown["moved_count"]) == (0, 0)


def test_the_number_of_queries_does_not_grow(owner, stages, django_assert_max_num_queries):
    for number in range(15):
        lead = service.create_lead(
            actor=owner.member, stage=stages[0], title=str(number), owner=owner.member, email=f"{number}@x.test"
        )
        service.move_lead(actor=owner.member, lead_id=lead.pk, stage_id=stages[1].pk)
    with django_assert_max_num_queries(18):
        owner.client.get("/day/")


def test_the_organization_begins_with_the_day_for_its_members_only(owner, stranger, organization):
    assert owner.client.get("/")["Location"] == owner.client.at("/day/")
    stranger.client.organization = organization
    assert stranger.client.get("/").status_code == 404


def test_an_unknown_order_is_by_value(owner, mine):
    assert context(owner, "?order=%00")["order"] == "value"
