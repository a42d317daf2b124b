"""The two admins: who may enter which, that changes are services' changes, and that the trail has them."""

import pytest
from django.urls import NoReverseMatch, reverse

from conftest import OrganizationClient
from crm.models import Lead, Stage, Tag
from crm.services.leads import create_lead
from members.models import AuditEntry, Member, Team
from tenants.context import in_organization
from tenants.models import Domain, Due, SpareSchema, User

pytestmark = pytest.mark.django_db
ORGANIZATION_LISTS = [
    "members/member", "members/team", "members/auditentry", "crm/pipeline", "crm/stage", "crm/tag", "crm/import",
    "tenants/due",
]  # fmt: skip
PLATFORM_LISTS = ["organization", "user", "domain", "due", "spareschema"]
TASK = "crm.tasks.run_import"


@pytest.fixture
def staff(organization) -> OrganizationClient:
    user = User.objects.create_user("equipe@loved.test", "senha-bem-longa-1", is_staff=True, language="en")
    return OrganizationClient(organization, user)


@pytest.fixture
def dead(organization) -> Due:
    return Due.objects.create(
        organization=organization, task=TASK, arguments={"import_id": 77}, due_at=None, attempts=8,
        last_error="DataError: too long\nDETAIL: (31) 99999-0000",
    )  # fmt: skip


def last_action() -> str:
    return AuditEntry.objects.latest("pk").action


@pytest.mark.parametrize("path", ["", "members/", "crm/", *(f"{each}/" for each in ORGANIZATION_LISTS)])
def test_administrators_see_every_page_of_their_organizations_admin(owner, path):
    page = owner.client.get(f"/admin/{path}")
    assert page.status_code == 200
    assert 'href="/o/acme/admin/' in page.content.decode()


@pytest.mark.parametrize("path", ["", "crm/", *(f"{each}/" for each in ORGANIZATION_LISTS)])
def test_others_do_not(manager, colleague, viewer, stranger, staff, client, organization, path):
    for person in (manager, colleague, viewer):
        assert person.client.get(f"/admin/{path}").status_code == 403
    assert stranger.client.get(f"/o/acme/admin/{path}").status_code == 404
    assert staff.get(f"/o/acme/admin/{path}").status_code == 404
    assert client.get(f"/o/acme/admin/{path}").status_code == 302


@pytest.mark.parametrize("path", ["", "tenants/", *(f"tenants/{each}/" for each in PLATFORM_LISTS)])
def test_only_staff_sees_the_platform_and_only_on_the_main_host(owner, stranger, staff, client, organization, path):
    assert staff.get(f"/platform/{path}").status_code == 200
    assert owner.client.get(f"/platform/{path}").status_code == 403
    assert stranger.client.get(f"/platform/{path}").status_code == 403
    assert client.get(f"/platform/{path}")["Location"].startswith("/accounts/login/?next=")
    assert staff.get(f"/o/acme/platform/{path}").status_code == 404
    Domain.objects.create(tenant=organization, domain="crm.acme.test")
    assert staff.get(f"/platform/{path}", headers={"host": "crm.acme.test"}).status_code == 404


def test_the_main_host_itself_has_no_organizations_admin(owner, staff):
    for client in (owner.client, staff):
        assert client.generic("GET", "/platform/../admin/").status_code == 404
        assert super(OrganizationClient, client).generic("GET", "/admin/").status_code == 404


def test_neither_has_pages_for_passwords_or_its_own_sign_in(organization):
    for site in ("organization_admin", "platform_admin"):
        for page in ("login", "logout", "password_change", "autocomplete", "view_on_site"):
            with pytest.raises(NoReverseMatch):
                reverse(f"{site}:{page}")
    with pytest.raises(NoReverseMatch):
        reverse("platform_admin:auth_user_password_change", args=[1])


def test_the_password_is_nowhere_on_the_page_of_a_login(staff, owner):
    page = staff.get(f"/platform/tenants/user/{owner.user.pk}/change/").content.decode()
    assert owner.user.email in page
    assert "password" not in page
    assert owner.user.password not in page


def test_nobody_guesses_hidden_values_by_filtering(staff, owner):
    user = owner.user
    for guess in (user.password[:3], "x"):
        assert staff.get("/platform/tenants/user/", {"password__startswith": guess}).status_code == 400
    assert staff.get("/platform/tenants/user/", {"is_staff__exact": "1"}).status_code == 200
    assert owner.client.get("/admin/members/member/", {"role__exact": "admin"}).status_code == 200
    assert owner.client.get("/admin/members/member/", {"team__id__exact": owner.member.team_id}).status_code == 200
    assert owner.client.get("/admin/tenants/due/", {"organization__slug__startswith": "e"}).status_code == 400


def test_a_role_is_changed_by_the_service_and_the_history_says_so(owner, colleague):
    url = f"/admin/members/member/{colleague.member.pk}/"
    values = {"role": "manager", "team": colleague.member.team_id, "is_active": "on"}
    answer = owner.client.post(f"{url}change/", values)
    assert answer["Location"] == "/o/acme/admin/members/member/"
    assert Member.objects.get(pk=colleague.member.pk).role == "manager"
    assert last_action() == "member.changed"
    history = owner.client.get(f"{url}history/").content.decode()
    assert "member.changed" in history
    assert "Ana Owner" in history


def test_who_may_not_enter_any_more_is_shut_out(owner, colleague):
    url = f"/admin/members/member/{colleague.member.pk}/change/"
    owner.client.post(url, {"role": "sales", "team": colleague.member.team_id})
    assert last_action() == "member.deactivated"
    assert colleague.client.get("/leads/").status_code == 404
    owner.client.post(url, {"role": "sales", "team": colleague.member.team_id, "is_active": "on"})
    assert last_action() == "member.reactivated"
    assert colleague.client.get("/leads/").status_code == 200


def test_what_a_service_refuses_is_said_and_nothing_changes(owner):
    url = f"/admin/members/member/{owner.member.pk}/change/"
    page = owner.client.post(url, {"role": "viewer", "is_active": "on"}, follow=True)
    assert "at least one administrator" in page.content.decode()
    assert Member.objects.get(pk=owner.member.pk).role == "admin"


def test_teams_come_are_renamed_and_go(owner):
    owner.client.post("/admin/members/team/add/", {"name": "Norte"})
    team = Team.objects.get(name="Norte")
    assert last_action() == "team.created"
    owner.client.post(f"/admin/members/team/{team.pk}/change/", {"name": "Nordeste"})
    assert Team.objects.get(pk=team.pk).name == "Nordeste"
    assert last_action() == "team.changed"
    assert owner.client.get(f"/admin/members/team/{team.pk}/delete/").status_code == 200
    owner.client.post(f"/admin/members/team/{team.pk}/delete/", {"post": "yes"})
    assert not Team.objects.filter(pk=team.pk).exists()
    assert last_action() == "team.deleted"
    used = owner.client.post(f"/admin/members/team/{owner.member.team_id}/delete/", {"post": "yes"}, follow=True)
    assert "people in this team" in used.content.decode()


def test_pipelines_are_added_and_renamed(owner, pipeline):
    owner.client.post("/admin/crm/pipeline/add/", {"name": "Pós-venda"})
    assert last_action() == "pipeline.created"
    owner.client.post(f"/admin/crm/pipeline/{pipeline.pk}/change/", {"name": "Vendas", "order": 0})
    pipeline.refresh_from_db()
    assert pipeline.name == "Vendas"
    assert last_action() == "pipeline.changed"
    assert "pipeline.changed" in owner.client.get(f"/admin/crm/pipeline/{pipeline.pk}/history/").content.decode()


def test_stages_are_added_moved_and_deleted(owner, pipeline, stages):
    values = {"pipeline": pipeline.pk, "name": "Visita", "color": "pink", "place": ""}
    owner.client.post("/admin/crm/stage/add/", values)
    names = list(pipeline.stages.values_list("name", flat=True))
    assert names == ["Lead", "Contato", "Proposta", "Negociação", "Visita", "Fechado"]
    visit = Stage.objects.get(name="Visita")
    url = f"/admin/crm/stage/{visit.pk}/"
    owner.client.post(f"{url}change/", {"name": "Visita técnica", "color": "teal", "place": 2})
    assert list(pipeline.stages.values_list("name", flat=True))[1] == "Visita técnica"
    assert list(pipeline.stages.values_list("order", flat=True)) == [0, 1, 2, 3, 4, 5]
    assert "stage.changed" in owner.client.get(f"{url}history/").content.decode()
    owner.client.post(f"{url}delete/", {"post": "yes"})
    assert not Stage.objects.filter(pk=visit.pk).exists()
    assert last_action() == "stage.deleted"


def test_a_stage_with_leads_and_the_one_of_won_leads_stay(owner, stages):
    create_lead(actor=owner.member, stage=stages[0], title="Padaria")
    for stage, words in ((stages[0], "There are leads"), (stages[4], "won leads")):
        page = owner.client.post(f"/admin/crm/stage/{stage.pk}/delete/", {"post": "yes"}, follow=True)
        assert words in page.content.decode()
        assert Stage.objects.filter(pk=stage.pk).exists()


def test_tags_are_renamed_and_taken_off_every_lead(owner, stages):
    lead = create_lead(actor=owner.member, stage=stages[0], title="Padaria")
    tag, other = Tag.objects.create(name="quente"), Tag.objects.create(name="frio")
    lead.tags.add(tag)
    url = f"/admin/crm/tag/{tag.pk}/"
    owner.client.post(f"{url}change/", {"name": "muito quente", "color": "red"})
    tag.refresh_from_db()
    assert (tag.name, last_action()) == ("muito quente", "tag.changed")
    taken = owner.client.post(f"{url}change/", {"name": other.name.upper(), "color": "red"}, follow=True)
    assert taken.status_code == 200
    assert Tag.objects.get(pk=tag.pk).name == "muito quente"
    owner.client.post(f"{url}delete/", {"post": "yes"})
    assert Lead.objects.get(pk=lead.pk).tags.count() == 0
    assert last_action() == "tag.deleted"


@pytest.mark.parametrize("search", ["", "member", "nothing", "%", "9" * 30, "x" * 300])
def test_the_trail_can_be_searched_and_not_changed(owner, search):
    assert owner.client.get("/admin/members/auditentry/", {"q": search}).status_code == 200
    entry = AuditEntry.objects.latest("pk")
    url = f"/admin/members/auditentry/{entry.pk}/"
    assert entry.action in owner.client.get(f"{url}change/").content.decode()
    assert owner.client.post(f"{url}change/", {"action": "forged"}).status_code == 403
    assert owner.client.post(f"{url}delete/", {"post": "yes"}).status_code == 404
    assert AuditEntry.objects.get(pk=entry.pk).action == entry.action


def test_no_list_deletes_in_bulk(owner, staff, dead):
    page = owner.client.get("/admin/members/team/").content.decode()
    assert "delete_selected" not in page
    values = {"action": "delete_selected", "_selected_action": [owner.member.team_id], "post": "yes"}
    owner.client.post("/admin/members/team/", values)
    assert Team.objects.filter(pk=owner.member.team_id).exists()
    assert "delete_selected" not in staff.get("/platform/tenants/due/").content.decode()


def test_administrators_see_their_own_failed_work_only(owner, stranger, dead, elsewhere):
    other = Due.objects.create(organization=elsewhere, task=TASK, arguments={"import_id": 99}, due_at=None)
    page = owner.client.get("/admin/tenants/due/").content.decode()
    assert "DataError" in page
    assert page.count(TASK) == 1
    assert owner.client.get(f"/admin/tenants/due/{other.pk}/change/").status_code == 302
    owner.client.post("/admin/tenants/due/", {"action": "discard", "_selected_action": [dead.pk]})
    assert Due.objects.filter(pk=dead.pk).exists()


def test_staff_sees_the_error_without_the_values_of_the_row(staff, dead):
    for path in ("", f"{dead.pk}/change/"):
        page = staff.get(f"/platform/tenants/due/{path}").content.decode()
        assert "DataError: too long" in page
        assert "99999-0000" not in page


def test_replaying_owes_the_work_again_and_the_organizations_trail_tells_it(
    staff, dead, organization, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks() as nudges:
        staff.post("/platform/tenants/due/", {"action": "replay", "_selected_action": [dead.pk]})
    dead.refresh_from_db()
    assert dead.due_at is not None
    assert (dead.attempts, dead.last_error) == (0, "")
    assert len(nudges) == 1
    with in_organization(organization):
        entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.target_id, entry.facts["task"]) == ("work.replayed", dead.pk, TASK)


def test_discarding_gives_work_up_and_the_organizations_trail_tells_it(staff, dead, organization):
    staff.post("/platform/tenants/due/", {"action": "discard", "_selected_action": [dead.pk]})
    assert not Due.objects.filter(pk=dead.pk).exists()
    with in_organization(organization):
        entry = AuditEntry.objects.latest("pk")
    assert (entry.action, entry.facts["arguments"]) == ("work.discarded", {"import_id": 77})


def test_work_that_is_still_tried_is_neither_replayed_nor_discarded(staff, organization):
    due = Due.objects.create(organization=organization, task=TASK, arguments={"import_id": 5})
    for action in ("replay", "discard"):
        page = staff.post("/platform/tenants/due/", {"action": action, "_selected_action": [due.pk]}, follow=True)
        assert "still tried" in page.content.decode()
    assert Due.objects.filter(pk=due.pk).exists()


def test_staff_gives_and_takes_hosts_and_the_organization_hears_of_it(staff, organization):
    values = {"domain": "vendas.acme.test", "tenant": organization.pk, "is_primary": "on"}
    staff.post("/platform/tenants/domain/add/", values)
    domain = Domain.objects.get(domain="vendas.acme.test")
    with in_organization(organization):
        assert last_action() == "domain.added"
    bad = staff.post("/platform/tenants/domain/add/", {"domain": "no host", "tenant": organization.pk}, follow=True)
    assert "host name" in bad.content.decode()
    staff.post(f"/platform/tenants/domain/{domain.pk}/delete/", {"post": "yes"})
    assert not Domain.objects.filter(pk=domain.pk).exists()
    with in_organization(organization):
        assert last_action() == "domain.removed"


def test_staff_changes_nothing_else(staff, owner, organization, dead):
    spare = SpareSchema.objects.create(schema_name="o_spare1234")
    for path in (
        f"organization/{organization.pk}", f"user/{owner.user.pk}", f"due/{dead.pk}", f"spareschema/{spare.pk}",
    ):  # fmt: skip
        assert staff.get(f"/platform/tenants/{path}/change/").status_code == 200
        assert staff.post(f"/platform/tenants/{path}/change/", {"name": "x", "is_staff": "on"}).status_code == 403
        assert staff.post(f"/platform/tenants/{path}/delete/", {"post": "yes"}).status_code == 404
