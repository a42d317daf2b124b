"""Whispers: numbered announcements to the sockets of one organization."""

import json
import logging
import secrets
from functools import partial
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

from core.redis import ValkeyError, client
from tenants.context import current_schema

log = logging.getLogger(__name__)

# Number and publish in one step: a number taken before the publish could be overtaken by another
# thread's, and a browser would see a gap where none is. The epoch changes when Valkey was emptied.
ANNOUNCE = """
redis.call('HSETNX', KEYS[1], 'epoch', ARGV[3])
local number = redis.call('HINCRBY', KEYS[1], 'number', 1)
redis.call('EXPIRE', KEYS[1], 2592000)
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local message = string.gsub(ARGV[2], '"@number"', tostring(number), 1)
message = string.gsub(message, '@epoch', epoch, 1)
redis.call('PUBLISH', ARGV[1], message)
return number
"""


def topic(kind: str, pk: int) -> str:
    """Name a subject of the current organization, such as one board: also the group of its sockets."""
    return f"{current_schema()}.{kind}.{pk}"


def announce(subject: str, event: dict[str, Any]) -> None:
    """Tell the sockets of a topic, after commit, that something changed.

    `event` holds ids and numbers only: every browser asks for what it may see. Never raises: a
    browser that misses a whisper sees the gap in the numbers and asks again.
    """
    transaction.on_commit(partial(_publish, subject, event))


def position(subject: str) -> tuple[str, int]:
    """Return (epoch, number of the last announcement) of a topic; ("", 0) while Valkey is away."""
    try:
        epoch, number = client().hmget(_key(subject), "epoch", "number")
    except ValkeyError:
        return "", 0
    return str(epoch or ""), int(number or 0)


def _key(subject: str) -> str:
    return f"live:{subject}"


def _publish(subject: str, event: dict[str, Any]) -> None:
    message = {"type": "live.event", "number": "@number", "epoch": "@epoch", "event": event}
    try:
        client().eval(ANNOUNCE, 1, _key(subject), _channel(subject), json.dumps(message), secrets.token_hex(4))
    except ValkeyError as error:
        log.warning("no announcement: %s", type(error).__name__)


def _channel(subject: str) -> str:
    """Name the Valkey channel on which channels-redis listens for a group.

    We publish from the request's own thread instead of through the layer, which would build an event
    loop and a connection for every message.
    """
    layer: Any = get_channel_layer()
    return f"{layer._kwargs['prefix']}__group__{subject}"
