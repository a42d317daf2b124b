"""The demo: two organizations that look lived in, made quickly, removed without a trace."""

import io
import time
from itertools import pairwise

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from core.errors import Invalid
from crm.identity import parse_phone
from crm.models import Activity, Company, Contact, Lead, StageChange, Tag
from crm.services import demo
from members.models import AuditEntry, Member, Role, Team
from tenants.context import in_organization
from tenants.models import Membership, Organization, User
from tenants.services import create_organization


def say(*arguments: str) -> str:
    output = io.StringIO()
    call_command("demo", *arguments, stdout=output)
    return output.getvalue()


@pytest.fixture
def made(db) -> list[Organization]:
    return demo.make_demo()


def picture(organization: Organization) -> list[tuple]:
    with in_organization(organization):
        rows = Lead.objects.order_by("pk").values_list(
            "title",
            "value",
            "source",
            "owner__name",
            "contact__email",
            "contact__phone",
            "stage__name",
            "outcome",
            "position",
        )
        return [organization.name, *rows]


def test_it_takes_less_than_eight_seconds(db):
    began = time.monotonic()
    demo.make_demo()
    assert time.monotonic() - began < 8


def test_there_are_two_that_have_nothing_in_common(made):
    assert [(each.slug, each.is_demo) for each in made] == [("aurora", True), ("jatoba", True)]
    seen = []
    for organization in made:
        with in_organization(organization):
            names = set(Company.objects.values_list("name", flat=True)) | set(
                Lead.objects.values_list("title", flat=True)
            )
            seen.append(names | set(Tag.objects.values_list("name", flat=True)))
            assert Lead.objects.count() >= 150
    assert not seen[0] & seen[1]


def test_people_of_every_role_in_two_teams_and_one_in_both(made):
    for organization in made:
        with in_organization(organization):
            assert set(Member.objects.values_list("role", flat=True)) == set(Role.values)
            assert Team.objects.annotate(people=Count("members")).filter(people__gt=0).count() == 2
    both = User.objects.get(email="helena@aurora.example")
    assert Membership.objects.filter(user=both).count() == 2
    assert both.check_password(demo.PASSWORD)


@pytest.mark.parametrize("number", [0, 1])
def test_leads_have_lived(made, number):
    with in_organization(made[number]):
        counts = Lead.objects.aggregate(
            won=Count("pk", filter=Q(outcome="won")),
            lost=Count("pk", filter=Q(outcome="lost")),
            archived=Count("pk", filter=Q(archived_at__isnull=False)),
            unowned=Count("pk", filter=Q(owner=None)),
            first=Min("created_at"),
            last=Max("updated_at"),
        )
        assert min(counts["won"], counts["lost"], counts["archived"], counts["unowned"]) >= 3
        assert 60 <= (timezone.now() - counts["first"]).days <= 91
        assert counts["last"] <= timezone.now()
        assert Lead.objects.open().values("stage").distinct().count() == 4
        assert Activity.objects.filter(verb="note").count() > Lead.objects.count() / 2
        assert AuditEntry.objects.filter(action="lead.created").count() == Lead.objects.count()
        assert Lead.objects.filter(tags=None).exists()
        assert Lead.objects.exclude(tags=None).exists()


@pytest.mark.parametrize("number", [0, 1])
def test_nothing_contradicts_itself(made, number):
    with in_organization(made[number]):
        for lead in Lead.objects.select_related("stage").prefetch_related("stage_changes", "activities"):
            moves = sorted(lead.stage_changes.all(), key=lambda move: move.at)
            assert moves[-1].to_stage_id == lead.stage_id
            assert (moves[0].from_stage_id, moves[0].at) == (None, lead.created_at)
            assert lead.stage_since == moves[-1].at <= lead.updated_at
            assert (lead.outcome == "won") <= (lead.stage.kind == "won")
            assert all(one.to_stage_id == other.from_stage_id for one, other in pairwise(moves))
            assert min(activity.at for activity in lead.activities.all()) == lead.created_at
        for contact in Contact.objects.all():
            phone = parse_phone(contact.phone)
            assert phone is not None
            assert (phone.kind, phone.e164, phone.match_key) == ("mobile", contact.phone, contact.phone_key)
            assert contact.email == "" or contact.email.endswith(".example")


def test_the_same_leads_come_again(db):
    now = timezone.now()
    before = [picture(organization) for organization in demo.make_demo(now=now)]
    assert [picture(organization) for organization in demo.make_demo(now=now)] == before
    assert Organization.objects.filter(is_demo=True).count() == 2


def test_every_page_of_it_opens(made, client):
    client.force_login(
        User.objects.get(email="rafael@aurora.example"), backend="allauth.account.auth_backends.AuthenticationBackend"
    )
    with in_organization(made[0]):
        busy = StageChange.objects.values("lead").annotate(count=Count("pk")).order_by("-count").first()["lead"]
    connection.set_schema_to_public()
    for path in ("day/", "leads/", f"leads/{busy}/"):
        assert client.get(f"/o/aurora/{path}").status_code == 200


def test_who_may_sign_in_is_said(made):
    text = say("--logins")
    assert demo.PASSWORD in text
    for email in ("helena@aurora.example", "rafael@aurora.example", "otavio@aurora.example", "marcos@jatoba.example"):
        assert email in text
    assert "Demo " in text.splitlines()[0]


def test_without_a_demo_nothing_is_said(db):
    assert say("--logins") == ""


def test_it_goes_with_its_people_and_leaves_others_alone(made):
    schemas = [organization.schema_name for organization in made]
    assert "2" in say("--remove")
    assert not Organization.objects.filter(is_demo=True).exists()
    assert not User.objects.filter(email__endswith=".example").exists()
    assert Organization.objects.filter(slug="acme").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_namespace WHERE nspname = ANY(%s)", [schemas])
        assert cursor.fetchone() == (0,)
    assert "0" in say("--remove")


def test_who_works_elsewhere_too_stays(made):
    helena = User.objects.get(email="helena@aurora.example")
    create_organization(name="Real", owner=helena)
    demo.remove_demo()
    assert User.objects.filter(pk=helena.pk).exists()


def test_only_the_first_start_makes_one(db):
    assert demo.had_organizations()
    say("--if-first")
    assert not Organization.objects.filter(is_demo=True).exists()


def test_a_fresh_database_gets_one_and_only_once(db, monkeypatch):
    monkeypatch.setattr("crm.management.commands.demo.had_organizations", lambda: False)
    assert say("--if-first") == ""
    assert Organization.objects.filter(is_demo=True).count() == 2


def test_an_organization_that_was_removed_is_remembered(db):
    """Sequences know no rollback: what this test does to the counter it takes back itself."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM tenants_organization_id_seq")
        [last] = cursor.fetchone()
        try:
            cursor.execute("SELECT setval('tenants_organization_id_seq', 1, false)")
            assert not demo.had_organizations()
            cursor.execute("SELECT nextval('tenants_organization_id_seq')")
            assert demo.had_organizations()
        finally:
            cursor.execute("SELECT setval('tenants_organization_id_seq', %s)", [last])


def test_an_address_that_somebody_has_is_left_to_them(db, owner):
    connection.set_schema_to_public()
    create_organization(name="Aurora de verdade", owner=owner.user, slug="aurora")
    with pytest.raises(CommandError, match="aurora"):
        say()
    with pytest.raises(Invalid):
        demo.make_demo()
    assert Organization.objects.get(slug="aurora").is_demo is False
    assert not Organization.objects.filter(is_demo=True).exists()


def test_production_has_none(db, settings):
    settings.PRODUCTION = True
    with pytest.raises(CommandError, match="production"):
        say()
    assert not Organization.objects.filter(is_demo=True).exists()


def test_its_administrator_removes_it_with_one_click(made, client):
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    client.force_login(User.objects.get(email="rafael@aurora.example"), backend=backend)
    page = client.get("/o/aurora/day/").content.decode()
    assert "Demo organization" in page or "demonstração" in page
    assert "/o/aurora/settings/remove/" not in page
    assert client.post("/o/aurora/settings/remove/").status_code == 403
    client.force_login(User.objects.get(email="helena@aurora.example"), backend=backend)
    assert "/o/aurora/settings/remove/" in client.get("/o/aurora/day/").content.decode()
    assert client.post("/o/aurora/settings/remove/").status_code == 302
    assert not Organization.objects.filter(slug="aurora").exists()
    assert Organization.objects.filter(slug="jatoba").exists()
