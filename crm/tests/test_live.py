"""What a board's sockets are told, and who is listened to."""

import asyncio
import json

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection

from core.redis import client as valkey
from crm.models import Lead
from crm.services import columns
from crm.services.leads import create_lead, move_lead
from crm.services.news import announce_bulk
from crm.services.pipelines import default_pipeline
from members import sockets
from members.models import Member, Role
from members.services.people import add_member, deactivate_member
from tenants.context import in_organization
from tenants.live import position, topic
from tenants.models import User

HOST = "localhost:8000"


def open_socket(client, *, pipeline_id: int, slug: str = "", cookies: bool = True, origin: str = f"http://{HOST}"):
    from config.asgi import application

    headers = [(b"host", HOST.encode()), (b"origin", origin.encode())]
    if cookies:
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        headers.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={session}".encode()))
    path = f"/o/{slug or client.organization.slug}/ws/pipeline/{pipeline_id}/"
    return WebsocketCommunicator(application, path, headers=headers)


async def hear(socket) -> dict:
    return json.loads(await socket.receive_from(timeout=5))


def inside(organization, work):
    """Run a step in the organization, in a thread and on a connection of its own."""

    def step():
        try:
            with in_organization(organization):
                return work()
        finally:
            connection.close()

    return sync_to_async(step, thread_sensitive=False)()


@pytest.fixture
def organization_board(committed):
    with in_organization(committed.client.organization):
        pipeline = default_pipeline()
        return committed.client.organization, pipeline, list(pipeline.stages.all())


def test_a_move_is_whispered_with_ids_and_numbers_only(committed, organization_board):
    organization, pipeline, stages = organization_board

    def make() -> Lead:
        return create_lead(actor=committed.member, stage=stages[0], title="Secret Bakery", value=7731)

    def move(lead: Lead) -> Lead:
        return move_lead(actor=committed.member, lead_id=lead.pk, stage_id=stages[2].pk)

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        hello = await hear(socket)
        assert (hello["type"], hello["number"]) == ("hello", 0)
        lead = await inside(organization, make)
        created = await hear(socket)
        await inside(organization, lambda: move(lead))
        moved = await hear(socket)
        assert (created["number"], moved["number"]) == (1, 2)
        assert created["epoch"] == moved["epoch"] != ""
        assert moved["event"]["kind"] == "leads"
        assert moved["event"]["leads"] == [[lead.pk, 2]]
        assert moved["event"]["stages"] == sorted([stages[0].pk, stages[2].pk])
        assert moved["event"]["by"] == committed.member.pk
        assert not any(word in json.dumps([created, moved]) for word in ("Secret", "7731", "Clara", "Proposta"))
        await socket.disconnect()

    asyncio.run(story())


def test_the_mover_s_request_id_travels_with_the_news(committed, organization_board):
    """By it the mover's own browser knows the echo and does not ask again."""
    organization, pipeline, stages = organization_board
    with in_organization(organization):
        lead = create_lead(actor=committed.member, stage=stages[0], title="Any")

    def post():
        values = {"stage": stages[1].pk, "version": 1}
        headers = {"HX-Request": "true", "X-Request-ID": "my-own-request-1", "Host": HOST}
        try:
            assert committed.client.post(f"/leads/{lead.pk}/move/", values, headers=headers).status_code == 200
        finally:
            connection.close()

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        await hear(socket)
        await sync_to_async(post, thread_sensitive=False)()
        assert (await hear(socket))["event"]["request"] == "my-own-request-1"
        await socket.disconnect()

    asyncio.run(story())


def test_nothing_is_whispered_when_the_change_is_rolled_back(committed, organization_board):
    from django.db import transaction

    organization, pipeline, stages = organization_board

    def fail() -> None:
        with transaction.atomic():
            create_lead(actor=committed.member, stage=stages[0], title="Never")
            transaction.set_rollback(True)

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        await hear(socket)
        await inside(organization, fail)
        assert await socket.receive_nothing(timeout=0.5)
        await socket.disconnect()

    asyncio.run(story())


def test_many_changes_are_one_whisper(committed, organization_board):
    organization, pipeline, stages = organization_board

    def announce() -> None:
        announce_bulk(pipeline_id=pipeline.pk, stage_ids=[stages[0].pk], actor=committed.member)

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        await hear(socket)
        await inside(organization, announce)
        event = (await hear(socket))["event"]
        assert (event["kind"], event["stages"]) == ("bulk", [stages[0].pk])
        await socket.disconnect()

    asyncio.run(story())


def test_new_keys_for_a_worn_column_are_announced(committed, organization_board):
    """Browsers place cards by their keys: they must learn that the keys are others now."""
    from django.db import transaction

    organization, pipeline, stages = organization_board
    with in_organization(organization):
        create_lead(actor=committed.member, stage=stages[0], title="Any")

    def rebalance() -> None:
        with transaction.atomic():
            columns.rebalance(columns.lock_columns(stages[0].pk)[stages[0].pk])

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        await hear(socket)
        await inside(organization, rebalance)
        event = (await hear(socket))["event"]
        assert (event["kind"], event["stages"]) == ("order", [stages[0].pk])
        await socket.disconnect()

    asyncio.run(story())


def test_the_page_and_the_ping_say_the_same_position(committed, organization_board, monkeypatch):
    organization, pipeline, stages = organization_board
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.2)
    with in_organization(organization):
        create_lead(actor=committed.member, stage=stages[0], title="Any")
        epoch, number = position(topic("board", pipeline.pk))
    html = committed.client.get("/board/", headers={"Host": HOST}).content.decode()
    assert f'data-epoch="{epoch}" data-number="{number}"' in html

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        for kind in ("hello", "ping", "ping"):
            assert await hear(socket) == {"type": kind, "epoch": epoch, "number": number}
        await socket.disconnect()

    asyncio.run(story())


def test_an_emptied_valkey_begins_a_new_epoch(committed, organization_board):
    organization, pipeline, stages = organization_board
    with in_organization(organization):
        create_lead(actor=committed.member, stage=stages[0], title="Before")
        before = position(topic("board", pipeline.pk))
        valkey().delete(f"live:{topic('board', pipeline.pk)}")
        assert position(topic("board", pipeline.pk)) == ("", 0)
        create_lead(actor=committed.member, stage=stages[0], title="After")
        after = position(topic("board", pipeline.pk))
    assert after[1] == 1
    assert after[0] != before[0]


def test_strangers_the_anonymous_and_other_sites_are_refused(committed, organization_board, django_db_blocker):
    organization, pipeline, _stages = organization_board
    from conftest import OrganizationClient

    outsider = OrganizationClient(organization, User.objects.create_user("out@committed.test", "senha-bem-longa-1"))

    async def refused(socket) -> bool:
        connected, _code = await socket.connect(timeout=5)
        return not connected

    async def story() -> None:
        assert await refused(open_socket(outsider, pipeline_id=pipeline.pk))
        assert await refused(open_socket(committed.client, pipeline_id=pipeline.pk, cookies=False))
        assert await refused(open_socket(committed.client, pipeline_id=pipeline.pk, origin="http://evil.test"))
        assert await refused(open_socket(committed.client, pipeline_id=pipeline.pk, origin=""))
        assert await refused(open_socket(committed.client, pipeline_id=999999))
        assert await refused(open_socket(committed.client, pipeline_id=pipeline.pk, slug="nowhere"))

    asyncio.run(story())


def test_a_member_who_is_deactivated_is_sent_away(committed, organization_board, monkeypatch):
    organization, pipeline, _stages = organization_board
    monkeypatch.setattr(sockets, "PING_SECONDS", 0.2)
    monkeypatch.setattr(sockets, "RECHECK_SECONDS", 0)
    from conftest import OrganizationClient

    user = User.objects.create_user("soon@committed.test", "senha-bem-longa-1", name="Soon Gone")
    with in_organization(organization):
        member = add_member(user=user, role=Role.SALES)
    client = OrganizationClient(organization, user)

    def deactivate() -> None:
        deactivate_member(actor=Member.objects.get(pk=committed.member.pk), member_id=member.pk)

    async def story() -> None:
        socket = open_socket(client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        assert (await hear(socket))["type"] == "hello"
        assert (await hear(socket))["type"] == "ping"
        await inside(organization, deactivate)
        while (output := await socket.receive_output(timeout=5))["type"] != "websocket.close":
            assert "event" not in output["text"]
        assert output["code"] == sockets.NOT_ALLOWED

    asyncio.run(story())


def test_another_board_s_news_is_not_heard(committed, organization_board):
    """Two pipelines of one organization; two organizations are the isolation walk's business."""
    from crm.models import Pipeline, Stage

    organization, pipeline, _stages = organization_board
    with in_organization(organization):
        other = Stage.objects.create(pipeline=Pipeline.objects.create(name="Other"), name="There")

    async def story() -> None:
        socket = open_socket(committed.client, pipeline_id=pipeline.pk)
        assert (await socket.connect(timeout=5))[0]
        await hear(socket)
        await inside(organization, lambda: create_lead(actor=committed.member, stage=other, title="Any"))
        assert await socket.receive_nothing(timeout=0.5)
        await socket.disconnect()

    asyncio.run(story())
