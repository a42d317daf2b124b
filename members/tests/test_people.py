"""Members come by invitation, have a role that says what they may, and can be shut out."""

from datetime import timedelta

import pytest
from django.utils import timezone

from core.errors import Forbidden, Invalid, Missing
from crm.models import Lead
from members.models import AuditDetail, AuditEntry, Invitation, Member, Role, Team
from members.permissions import RIGHTS, Reach, is_allowed, reach, require, rights_of
from members.services import audit, people
from tenants.models import Membership, User

PASSWORD = "senha-bem-longa-1"


@pytest.fixture
def newcomer(db) -> User:
    return User.objects.create_user("nuno@new.test", PASSWORD, name="Nuno Newcomer", language="en")


def test_every_right_names_known_roles_and_admins_have_all():
    for right, roles in RIGHTS.items():
        assert set(roles) <= set(Role.values), right
        assert roles[Role.ADMIN] is Reach.ALL, right


def test_a_viewer_only_sees(viewer):
    assert rights_of(viewer.member) == {"lead.view", "contact.view", "member.view"}


def test_an_unknown_right_is_a_mistake_of_ours(owner):
    with pytest.raises(KeyError):
        require(owner.member, "lead.steal")


def test_a_deactivated_member_has_no_rights(colleague):
    colleague.member.is_active = False
    assert rights_of(colleague.member) == set()
    assert reach(colleague.member, "lead.view") is None


def test_team_reach_covers_own_teams_and_unowned_things(owner, colleague, stages):
    other_team = Team.objects.create(name="Outra")
    outsider = Member.objects.create(user_id=555, name="Olga", email="o@x.test", team=other_team)

    def lead_of(member):
        return Lead(title="x", stage=stages[0], owner=member)

    assert is_allowed(colleague.member, "lead.edit", lead_of(None))
    assert is_allowed(colleague.member, "lead.edit", lead_of(colleague.member))
    assert is_allowed(colleague.member, "lead.edit", lead_of(owner.member))
    assert not is_allowed(colleague.member, "lead.edit", lead_of(outsider))
    assert not is_allowed(colleague.member, "lead.archive", lead_of(owner.member))


def test_an_invitation_works_once(owner, newcomer):
    _invitation, token = people.invite(actor=owner.member, role="sales")
    member = people.accept_invitation(token=token, user=newcomer)
    assert (member.role, member.name, member.team.name) == ("sales", "Nuno Newcomer", "Comercial")
    assert Membership.objects.filter(user=newcomer, is_active=True).exists()
    with pytest.raises(Missing):
        people.accept_invitation(token=token, user=newcomer)


def test_only_a_hash_of_the_token_is_kept(owner):
    invitation, token = people.invite(actor=owner.member, role="sales")
    assert token not in str(Invitation.objects.values().get(pk=invitation.pk))


@pytest.mark.parametrize(
    "change", [{"expires_at": timezone.now() - timedelta(seconds=1)}, {"revoked_at": timezone.now()}]
)
def test_expired_and_revoked_links_do_not_work(owner, newcomer, change):
    invitation, token = people.invite(actor=owner.member, role="sales")
    Invitation.objects.filter(pk=invitation.pk).update(**change)
    with pytest.raises(Missing):
        people.accept_invitation(token=token, user=newcomer)
    assert not Member.objects.filter(user_id=newcomer.pk).exists()


def test_the_link_of_somebody_who_left_does_not_work(owner, manager, newcomer):
    _invitation, token = people.invite(actor=manager.member, role="sales")
    people.deactivate_member(actor=owner.member, member_id=manager.member.pk)
    with pytest.raises(Missing):
        people.accept_invitation(token=token, user=newcomer)


def test_nobody_invites_above_themselves(manager, colleague):
    with pytest.raises(Forbidden):
        people.invite(actor=manager.member, role="admin")
    with pytest.raises(Forbidden):
        people.invite(actor=colleague.member, role="viewer")
    with pytest.raises(Invalid):
        people.invite(actor=manager.member, role="emperor")


def test_a_member_who_follows_a_link_keeps_role_and_link(owner, colleague):
    invitation, token = people.invite(actor=owner.member, role="admin")
    assert people.accept_invitation(token=token, user=colleague.user).role == "sales"
    invitation.refresh_from_db()
    assert invitation.is_open


def test_the_last_administrator_stays(owner, colleague):
    with pytest.raises(Invalid):
        people.change_member(actor=owner.member, member_id=owner.member.pk, role="sales", team_id=None)
    people.change_member(actor=owner.member, member_id=colleague.member.pk, role="admin", team_id=None)
    people.change_member(actor=owner.member, member_id=owner.member.pk, role="sales", team_id=None)
    assert Member.objects.get(pk=owner.member.pk).role == "sales"


def test_leaving_and_coming_back(owner, colleague):
    people.deactivate_member(actor=owner.member, member_id=colleague.member.pk)
    assert not Membership.objects.get(user=colleague.user).is_active
    people.reactivate_member(actor=owner.member, member_id=colleague.member.pk)
    assert Membership.objects.get(user=colleague.user).is_active
    with pytest.raises(Invalid):
        people.deactivate_member(actor=owner.member, member_id=owner.member.pk)


def test_members_of_another_organization_do_not_exist_here(owner, stranger):
    for service in (people.deactivate_member, people.reactivate_member):
        with pytest.raises(Missing):
            service(actor=owner.member, member_id=999_999)


def test_every_write_leaves_a_trail(owner, colleague):
    people.change_member(actor=owner.member, member_id=colleague.member.pk, role="manager", team_id=None)
    entry = AuditEntry.objects.get(action="member.changed")
    assert entry.actor == owner.member
    assert entry.target_id == colleague.member.pk
    assert entry.facts["previous"]["role"] == "sales"


def test_personal_values_can_be_erased_and_still_proved(owner):
    entry = audit.record(
        actor=owner.member, action="test", target=owner.member, before={"name": "Ana"}, after={"name": "Bia"}
    )
    detail = AuditDetail.objects.get(entry=entry)
    assert audit.detail_hash(detail) == entry.detail_hash
    assert "Ana" not in str(AuditEntry.objects.values().get(pk=entry.pk))
    detail.after["name"] = "Eva"
    assert audit.detail_hash(detail) != entry.detail_hash
    detail.delete()
    assert AuditEntry.objects.filter(pk=entry.pk).exists()


def test_an_audit_entry_is_not_saved_twice(owner):
    entry = audit.record(actor=owner.member, action="test", target=owner.member)
    with pytest.raises(TypeError):
        entry.save()


def test_people_page_shows_an_invitation_link_once(owner):
    page = owner.client.post("/people/invitations/", {"role": "sales", "note": "para a Bia"}).content.decode()
    assert "/invite/acme/" in page
    again = owner.client.get("/people/").content.decode()
    assert "para a Bia" in again
    assert "/invite/acme/" not in again


def test_a_sales_person_sees_people_and_no_levers(colleague):
    page = colleague.client.get("/people/").content.decode()
    assert "Ana Owner" in page
    assert "people/invitations/" not in page
    assert colleague.client.post("/people/invitations/", {"role": "viewer"}).status_code == 403
    assert colleague.client.post(f"/people/{colleague.member.pk}/", {"role": "admin"}).status_code == 403
    assert colleague.client.get("/settings/").status_code == 403


@pytest.mark.parametrize(
    "data", [{}, {"role": "emperor"}, {"role": "sales", "team": "999"}, {"role": "sales", "note": "x" * 500}]
)
def test_a_bad_invitation_says_what_is_wrong_and_makes_none(owner, data):
    response = owner.client.post("/people/invitations/", data)
    assert response.status_code == 422
    assert 'role="alert"' in response.content.decode()
    assert not Invitation.objects.exists()


def test_teams_have_different_names(owner):
    assert owner.client.post("/people/teams/", {"name": " comercial "}).status_code == 422
    assert owner.client.post("/people/teams/", {"name": "Pós-venda"}).status_code == 302
    assert Team.objects.count() == 2


def test_settings_change_name_zone_and_currency(owner, organization):
    response = owner.client.post("/settings/", {"name": "Acme Nova", "timezone": "America/Manaus", "currency": "USD"})
    assert response.status_code == 302
    organization.refresh_from_db()
    assert (organization.name, organization.timezone, organization.currency) == ("Acme Nova", "America/Manaus", "USD")
    assert owner.client.post("/settings/", {"name": "", "timezone": "Mars", "currency": "USD"}).status_code == 422


def test_removing_an_organization_wants_its_address(owner, organization):
    assert owner.client.post("/settings/remove/", {"slug": "wrong"}).status_code == 302
    organization.refresh_from_db()
