"""One organization's membership opens nothing of another: every URL, socket, task and file is tried.

The victim's every text holds CANARY. Its ids begin at 900,001, so that none of them means anything in
the attacker's organization. A URL without a generator below fails the walk: whoever adds a page says
how to reach somebody else's.
"""

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from conftest import OrganizationClient
from crm.models import Activity, Company, Contact, FollowUp, Import, Lead, Pipeline, Stage, StageChange, Tag
from members.models import AuditEntry, Invitation, Member, Team
from tenants.context import in_organization
from tenants.jobs import WrongOrganization
from tenants.models import Domain, Due, Organization, User

pytestmark = pytest.mark.isolation
CANARY = "CANARY7731"
METHODS = ["get", "post", "put", "patch", "delete"]
FORM = {
    "title": "stolen", "text": "stolen", "name": "stolen", "reason": "stolen", "field": "title", "value": "1",
    "role": "admin", "after": "", "version": "1", "slug": "victim", "undo": "1", "note": "stolen", "email": "a@b.test",
}  # fmt: skip


@pytest.fixture
def victim(elsewhere, stranger) -> dict[str, int | str]:
    """Fill the other organization with canaries and return what its URLs could be made of."""
    with in_organization(elsewhere):
        with connection.cursor() as cursor:
            for model in (
                Lead, Contact, Company, FollowUp, Stage, Pipeline, Tag, Activity, Import, Member, Team, Invitation,
                StageChange, AuditEntry,
            ):  # fmt: skip
                cursor.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), 900000)", [model._meta.db_table])
        team = Team.objects.create(name=f"{CANARY} team")
        member = Member.objects.create(user_id=987654, name=f"{CANARY} person", email="canary@victim.test", team=team)
        pipeline = Pipeline.objects.create(name=f"{CANARY} pipeline")
        stage = Stage.objects.create(pipeline=pipeline, name=f"{CANARY} stage", order=1)
        company = Company.objects.create(name=f"{CANARY} company", name_key=CANARY.lower())
        contact = Contact.objects.create(name=f"{CANARY} contact", email="canary7731@victim.test", company=company)
        lead = Lead.objects.create(
            title=f"{CANARY} lead", stage=stage, position="a0", value=Decimal(7731), contact=contact, company=company,
            source=f"{CANARY} source", external_id=CANARY,
        )  # fmt: skip
        tag = Tag.objects.create(name=f"{CANARY} tag")
        lead.tags.add(tag)
        Activity.objects.create(lead=lead, verb="note", text=f"{CANARY} note", actor=member)
        Activity.objects.create(contact=contact, verb="note", text=f"{CANARY} note", actor=member)
        follow_up = FollowUp.objects.create(
            title=f"{CANARY} follow-up", note=f"{CANARY} note", lead=lead, owner=member, created_by=member,
            due_at="2099-01-01T12:00Z",
        )  # fmt: skip
        done = Import.objects.create(original_name=f"{CANARY}.csv", created_by=member, status=Import.Status.DONE)
        done.file.save("x.csv", ContentFile(f"name\n{CANARY}\n".encode()))
        done.errors_file.save("e.csv", ContentFile(f"line;why\n1;{CANARY}\n".encode()))
        invitation = Invitation.objects.create(
            token_hash="0" * 64, created_by=member, note=CANARY, expires_at="2099-01-01T00:00Z", role="admin"
        )
        audited = AuditEntry.objects.create(actor=member, action="lead.created", target="lead", facts={"word": CANARY})
    # Rows of public: the error's second line is where PostgreSQL says values.
    due = Due.objects.create(
        organization=elsewhere, task="crm.tasks.run_import", arguments={"import_id": done.pk}, due_at=None,
        last_error=f"IntegrityError: duplicate key\nDETAIL: {CANARY}",
    )  # fmt: skip
    ours = Organization.objects.get(slug="acme")
    domain = Domain.objects.create(tenant=ours, domain="walk.example.test", is_primary=False)
    return {
        "audit": audited.pk, "due": due.pk, "tag": tag.pk, "organization": elsewhere.pk,
        "user": stranger.user.pk, "domain": domain.pk, "spareschema": 1,
        "lead": lead.pk, "contact": contact.pk, "company": company.pk, "follow_up": follow_up.pk,
        "stage": stage.pk, "pipeline": pipeline.pk, "import": done.pk, "member": member.pk,
        "invitation": invitation.pk, "team": team.pk, "schema": elsewhere.schema_name, "file": done.file.name,
    }  # fmt: skip


# How to reach the victim's thing at each address: route → arguments by name. `None`: has no arguments.
def arguments(name: str, converters: set[str], victim: dict[str, int | str]) -> dict[str, int | str] | None:
    """Fill a pattern's arguments with the victim's ids, by what the name says it is about."""
    if not converters:
        return {}
    about = {
        "crm:lead": "lead", "crm:board": "pipeline", "crm:column": "pipeline", "crm:stage": "stage",
        "crm:import": "import", "crm:contact": "contact", "crm:company": "company", "crm:follow_up": "follow_up",
        "members:member": "member", "members:invitation_revoke": "invitation",
    }  # fmt: skip
    if "object_id" in converters:
        model = name.partition(":")[2].split("_")[1]
        return {"object_id": victim[ADMINISTERED.get(model, model)]}
    subject = next((thing for prefix, thing in about.items() if name.startswith(prefix)), None)
    known = {
        "lead_id": "lead", "other_id": "contact", "pipeline_id": "pipeline", "stage_id": "stage", "import_id": "import",
        "pipeline": "pipeline", "stage": "stage", "lead": "lead",
    }  # fmt: skip
    filled: dict[str, int | str] = {}
    for argument in converters:
        thing = known.get(argument, subject if argument == "pk" else None)
        if thing is None:
            return FIXED.get(name)
        filled[argument] = victim[thing]
    return filled


# Models of the two admins that go by another name above.
ADMINISTERED = {"auditentry": "audit"}
# Pages of the platform and of allauth: what their arguments stand for is not an organization's row.
FIXED: dict[str, dict[str, int | str]] = {
    "members:invitation": {"slug": "elsewhere", "token": "not-a-token"},
    "outbox_message": {"name": "20260101-000000-1"},
    "organization_enter": {"slug": "elsewhere"},
    "organization_admin:app_list": {"app_label": "members"},
    "platform_admin:app_list": {"app_label": "tenants"},
    "handover_take": {"token": "not-a-token"},
    "account_confirm_email": {"key": "nothing"},
    "account_reset_password_from_key": {"uidb36": "1", "key": "nothing"},
}
# Shapes of allauth's that take part under another name.
SAME_AS = {"account_reset_password_from_key_done", "account_reset_password_done"}


def patterns(resolver: URLResolver, prefix: str = "", namespace: str = "") -> Iterator[tuple[str, str, set[str], str]]:
    """Yield (name, route, argument names) of every URL pattern."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            inner = f"{namespace}{entry.namespace}:" if entry.namespace else namespace
            yield from patterns(entry, prefix + str(entry.pattern), inner)
        elif isinstance(entry, URLPattern):
            route = prefix + str(entry.pattern)
            yield f"{namespace}{entry.name}", route, set(entry.pattern.regex.groupindex), route


def all_places(victim) -> list[tuple[str, str]]:
    """Return (name, path) for every pattern, filled with the victim's ids."""
    from django.urls import reverse

    places, lost = [], []
    for name, route, converters, _route in patterns(get_resolver()):
        filled = arguments(name, converters, victim)
        if filled is None:
            lost.append(f"{name} at {route}")
            continue
        places.append((name, reverse(name, kwargs=filled)))
    assert not lost, f"no generator for: {lost}"
    return places


def fingerprint(organization) -> dict[str, str]:
    """Hash every table of an organization."""
    with in_organization(organization), connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s ORDER BY 1", [organization.schema_name])
        tables = [name for (name,) in cursor.fetchall()]
        hashes = {}
        for table in tables:
            cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t")
            hashes[table] = cursor.fetchone()[0]
    return hashes


def body(response) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode("utf-8", "replace") + json.dumps(dict(response.headers))


@pytest.mark.django_db
def test_no_address_yields_another_organizations_data(
    organization, owner, colleague, elsewhere, victim, closing_line, settings, tmp_path
):
    settings.MEDIA_ROOT = tmp_path
    before = fingerprint(elsewhere)
    places = all_places(victim)
    requests = 0
    leaks = []
    people = {
        "administrator of another": owner.client,
        "sales of another": colleague.client,
        "nobody": Client(raise_request_exception=True),
        "platform staff": OrganizationClient(
            organization, User.objects.create_user("staff@loved.test", "senha-bem-longa-1", is_staff=True)
        ),
    }
    for name, path in places:
        platform = not name.startswith(("crm:", "members:", "organization_admin:")) or name == "members:invitation"
        targets = [path] if platform else [f"/o/elsewhere{path}", f"/o/acme{path}"]
        if name.startswith("platform_admin:"):
            targets += [f"/o/elsewhere{path}", f"/o/acme{path}"]
        if name in {"account_logout", "members:organization_remove", "account_signup"}:
            targets = [f"/o/elsewhere{path}"]
        for target in targets:
            for who, client in people.items():
                for method in METHODS:
                    for headers in ({}, {"HX-Request": "true"}):
                        response = getattr(client, method)(
                            target, data=FORM if method == "post" else None, headers=headers
                        )
                        requests += 1
                        if CANARY in body(response) or "canary7731" in body(response):
                            leaks.append(f"{who}: {method} {target} shows a canary")
                        if response.status_code >= 500:
                            leaks.append(f"{who}: {method} {target} broke with {response.status_code}")
                        inside = target.startswith("/o/elsewhere/")
                        allowed = {302, 404, 405} if who == "nobody" else {404, 405}
                        if inside and response.status_code not in allowed and not response.headers.get("HX-Redirect"):
                            leaks.append(f"{who}: {method} {target} answered {response.status_code}")
                        if "pk" in name and response.status_code == 200:
                            leaks.append(f"{who}: {method} {target} found something")
    assert not leaks, "\n".join(leaks[:20])
    assert fingerprint(elsewhere) == before, "something of the victim changed"
    for raw in (f"/media/{victim['file']}", f"{settings.MEDIA_URL}{victim['file']}", f"/static/../{victim['file']}"):
        assert owner.client.generic("GET", f"/o/acme{raw}").status_code == 404
        requests += 1
    closing_line(f"isolation: {len(places)} places, {requests} requests, {len(leaks)} leaks")


@pytest.mark.django_db
def test_a_member_of_both_is_told_apart_by_the_path(organization, owner, elsewhere, victim):
    """The walk can see a leak: whoever really is a member there does see the canary."""
    from members.services.people import add_member

    with in_organization(elsewhere):
        add_member(user=owner.user, role="admin")
    page = body(owner.client.get(f"/o/elsewhere/leads/{victim['lead']}/"))
    assert CANARY in page
    assert CANARY not in body(owner.client.get("/o/acme/leads/"))


def headers_of(client: Client, host: str = "localhost:8000") -> list[tuple[bytes, bytes]]:
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return [(b"cookie", cookie.encode()), (b"host", host.encode()), (b"origin", f"http://{host}".encode())]


def test_no_socket_hears_another_organization(committed, django_db_blocker):
    """Real commits: a whisper is sent after one."""
    from config.asgi import application
    from crm.services.leads import create_lead
    from crm.services.pipelines import default_pipeline
    from tenants.models import User
    from tenants.services import create_organization, remove_organization

    other_user = User.objects.create_user("other@committed.test", "senha-bem-longa-1")
    other = create_organization(name="Other", owner=other_user, slug="c-other")
    try:
        with in_organization(other):
            pipeline = default_pipeline()
            stage = pipeline.stages.first()
            other_member = Member.objects.get()
        with in_organization(committed.client.organization):
            own = default_pipeline().pk
        cookies = headers_of(committed.client)

        def write_elsewhere():
            with in_organization(other):
                create_lead(actor=other_member, stage=stage, title=CANARY)
            connection.close()

        async def story():
            places = [
                f"/o/c-other/ws/pipeline/{pipeline.pk}/",
                "/o/nowhere/ws/pipeline/1/",
                f"/ws/pipeline/{pipeline.pk}/",
                "/o/c-other/ws/other/1/",
            ]
            for path in places:
                connected, _code = await WebsocketCommunicator(application, path, headers=cookies).connect(timeout=5)
                assert not connected, path
            path = f"/o/{committed.client.organization.slug}/ws/pipeline/{own}/"
            anonymous = [header for header in cookies if header[0] != b"cookie"]
            foreign = [*cookies[:2], (b"origin", b"http://evil.test")]
            for bad in (anonymous, foreign, cookies[:2]):
                connected, _code = await WebsocketCommunicator(application, path, headers=bad).connect(timeout=5)
                assert not connected
            socket = WebsocketCommunicator(application, path, headers=cookies)
            connected, _ = await socket.connect(timeout=5)
            assert connected
            assert json.loads(await socket.receive_from(timeout=5))["type"] == "hello"
            await asyncio.to_thread(write_elsewhere)
            assert await socket.receive_nothing(timeout=1)
            await socket.disconnect()

        asyncio.run(story())
    finally:
        remove_organization(organization=other)


@pytest.mark.django_db
def test_every_task_is_refused_outside_of_its_organization(organization):
    """No header, an unknown organization, public: nothing runs and nothing is written."""
    from config.celery import app

    app.loader.import_default_modules()
    connection.set_schema_to_public()
    ours = [task for name, task in app.tasks.items() if name.startswith(("crm.", "members."))]
    assert ours
    for task in ours:
        for headers in ({"_schema_name": "public"}, {"_schema_name": "o_gone"}, {"_schema_name": ""}):
            with pytest.raises(WrongOrganization):
                task.apply(kwargs={}, headers=headers, throw=True).get()
            connection.set_schema_to_public()


@pytest.mark.django_db
def test_a_deactivated_member_is_out_at_once(organization, owner, colleague):
    from members.services.people import deactivate_member

    assert colleague.client.get("/people/").status_code == 200
    deactivate_member(actor=owner.member, member_id=colleague.member.pk)
    assert colleague.client.get("/people/").status_code == 404
    assert AuditEntry.objects.filter(action="member.deactivated").exists()


@pytest.mark.django_db
def test_cache_keys_of_two_organizations_differ(organization, elsewhere):
    from django.core.cache import cache

    cache.set("isolation", "ours")
    with in_organization(elsewhere):
        assert cache.get("isolation") is None
    assert cache.get("isolation") == "ours"
