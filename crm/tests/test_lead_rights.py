"""Who may do what to whose lead."""

import pytest

from core.errors import Forbidden, Missing
from crm.models import Lead
from crm.services import leads as service
from members.models import Member, Team
from members.services.people import change_member, create_team, deactivate_member


def make(actor, stage, **values) -> Lead:
    return service.create_lead(actor=actor.member, stage=stage, title="Padaria Sol", **values)


@pytest.fixture
def lead(owner, stages) -> Lead:
    return make(owner, stages[0], owner=owner.member)


@pytest.fixture
def other_team(owner, colleague) -> Member:
    """The colleague works in another team from now on."""
    team = create_team(actor=owner.member, name="Contas")
    change_member(actor=owner.member, member_id=colleague.member.pk, role="sales", team_id=team.pk)
    colleague.member.refresh_from_db()
    return colleague.member


def test_sales_see_and_change_their_own_their_teams_and_nobodys(owner, colleague, stages, lead):
    for who in (colleague.member, None, owner.member):
        mine = make(owner, stages[0], owner=who)
        assert service.change_lead(actor=colleague.member, lead_id=mine.pk, source="Site").source == "Site"


def test_sales_of_another_team_see_nothing_of_it(other_team, lead):
    for work in (
        lambda: service.change_lead(actor=other_team, lead_id=lead.pk, title="x"),
        lambda: service.move_lead(actor=other_team, lead_id=lead.pk, stage_id=lead.stage_id),
        lambda: service.lose_lead(actor=other_team, lead_id=lead.pk, reason="x"),
        lambda: service.reopen_lead(actor=other_team, lead_id=lead.pk),
        lambda: service.archive_lead(actor=other_team, lead_id=lead.pk),
        lambda: service.restore_lead(actor=other_team, lead_id=lead.pk),
        lambda: service.add_note(actor=other_team, lead_id=lead.pk, text="x"),
    ):
        with pytest.raises(Missing):
            work()
    lead.refresh_from_db()
    assert lead.version == 1


def test_a_viewer_sees_everything_and_changes_nothing(viewer, lead, stages):
    assert Lead.objects.visible_to(viewer.member).get() == lead
    for work in (
        lambda: service.change_lead(actor=viewer.member, lead_id=lead.pk, title="x"),
        lambda: service.move_lead(actor=viewer.member, lead_id=lead.pk, stage_id=stages[1].pk),
        lambda: service.lose_lead(actor=viewer.member, lead_id=lead.pk, reason="x"),
        lambda: service.reopen_lead(actor=viewer.member, lead_id=lead.pk),
        lambda: service.archive_lead(actor=viewer.member, lead_id=lead.pk),
        lambda: service.restore_lead(actor=viewer.member, lead_id=lead.pk),
        lambda: service.add_note(actor=viewer.member, lead_id=lead.pk, text="x"),
    ):
        with pytest.raises(Forbidden):
            work()


def test_sales_give_away_and_archive_only_what_is_theirs(owner, colleague, stages, lead):
    for work in (
        lambda: service.change_lead(actor=colleague.member, lead_id=lead.pk, owner=colleague.member),
        lambda: service.archive_lead(actor=colleague.member, lead_id=lead.pk),
    ):
        with pytest.raises(Forbidden):
            work()
    mine = make(colleague, stages[0], owner=colleague.member)
    service.archive_lead(actor=colleague.member, lead_id=mine.pk)
    service.restore_lead(actor=colleague.member, lead_id=mine.pk)
    service.change_lead(actor=colleague.member, lead_id=mine.pk, owner=owner.member)


def test_a_manager_does_it_for_all(manager, other_team, stages):
    lead = make(manager, stages[0], owner=other_team)
    service.change_lead(actor=manager.member, lead_id=lead.pk, owner=manager.member)
    assert service.archive_lead(actor=manager.member, lead_id=lead.pk).archived_at


def test_without_a_team_only_ones_own_and_nobodys(owner, colleague, lead):
    Member.objects.update(team=None)
    Team.objects.all().delete()
    colleague.member.refresh_from_db()
    assert not Lead.objects.visible_to(colleague.member).exists()


def test_who_was_shut_out_sees_nothing(owner, colleague, lead):
    deactivate_member(actor=owner.member, member_id=colleague.member.pk)
    colleague.member.refresh_from_db()
    assert not Lead.objects.visible_to(colleague.member).exists()
    with pytest.raises(Forbidden):
        make(colleague, lead.stage)
