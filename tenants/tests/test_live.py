"""Whispers are numbered, sent after commit, and reach the sockets of their topic."""

import asyncio

import pytest
from channels.layers import get_channel_layer
from django.db import connection, transaction

from core.redis import client
from tenants import live


@pytest.fixture
def subject(db):
    connection.set_schema("o_live")
    topic = live.topic("board", 1)
    client().delete(f"live:{topic}")
    return topic


def test_a_topic_names_its_organization(subject):
    assert subject == "o_live.board.1"


def test_announcements_are_numbered_after_commit(subject, django_capture_on_commit_callbacks):
    assert live.position(subject) == ("", 0)
    with django_capture_on_commit_callbacks(execute=True):
        live.announce(subject, {"kind": "leads"})
        assert live.position(subject) == ("", 0)
    epoch, number = live.position(subject)
    assert epoch
    assert number == 1
    live._publish(subject, {"kind": "leads"})
    assert live.position(subject) == (epoch, 2)


def test_nothing_is_announced_of_what_is_rolled_back(subject):
    with pytest.raises(RuntimeError), transaction.atomic():  # noqa: PT012 (a cause that fails after its news)
        live.announce(subject, {"kind": "leads"})
        raise RuntimeError
    assert live.position(subject) == ("", 0)


def test_an_emptied_valkey_shows_as_another_epoch(subject):
    live._publish(subject, {})
    before = live.position(subject)
    client().delete(f"live:{subject}")
    live._publish(subject, {})
    assert live.position(subject)[0] != before[0]


def test_a_whisper_reaches_the_group_as_channels_redis_listens(subject):
    """We publish past the layer: this fails when channels-redis changes how it names or packs."""

    async def story():
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(subject, channel)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(live._publish, subject, {"kind": "leads", "leads": [[1, 2]]})
        return await asyncio.wait_for(layer.receive(channel), 5)

    message = asyncio.run(story())
    assert message["type"] == "live.event"
    assert message["number"] == 1
    assert message["event"] == {"kind": "leads", "leads": [[1, 2]]}
    assert message["epoch"] == live.position(subject)[0]


def test_valkey_away_is_no_error(subject, monkeypatch, settings):
    settings.REDIS_URL = "unix:///nowhere/valkey.sock"
    monkeypatch.setattr(live, "client", client.__wrapped__)
    live._publish(subject, {})
    assert live.position(subject) == ("", 0)
