"""What every socket of an organization does before it says a word."""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.http import Http404

from members.services.access import Seat, find_seat
from tenants.live import position
from tenants.platform import is_own_origin

NOT_ALLOWED = 4403
RECONNECT = 4408
PING_SECONDS = 25
RECHECK_SECONDS = 60
LIFE_SECONDS = 30 * 60


class OriginGuard:
    """Refuse a handshake whose Origin is not the host it goes to: no other site may open our sockets."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Any) -> Any:
        headers = dict(scope["headers"])
        origin = headers.get(b"origin", b"").decode("latin-1")
        host = headers.get(b"host", b"").decode("latin-1")
        if not is_own_origin(origin, host=host):
            await send({"type": "websocket.close", "code": NOT_ALLOWED})
            return None
        try:
            return await self.inner(scope, receive, send)
        except ValueError:  # no route: the router says so with this
            await send({"type": "websocket.close", "code": NOT_ALLOWED})
            return None


class SubjectConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """Listen to one topic of one organization and pass its whispers on.

    A subclass says which topic a seat may hear (`subject`, one synchronous step, None to refuse).
    That step runs on connect and once a minute; in between no database is touched. After half an
    hour the browser is asked to connect again. Nothing is received: writes go by HTTP.
    """

    def subject(self, seat: Seat) -> str | None:
        """Return the topic that the seat may hear. Runs in a worker thread."""
        return None

    async def connect(self) -> None:
        self.clock: asyncio.Task[None] | None = None
        self.topic = await self._checked_subject()
        if self.topic is None:
            await self.close(code=NOT_ALLOWED)
            return
        await self.channel_layer.group_add(self.topic, self.channel_name)
        await self.accept()
        await self._tell_position("hello")
        self.clock = asyncio.create_task(self._tick())

    async def disconnect(self, code: int) -> None:
        if self.clock:
            self.clock.cancel()
        if self.topic:
            await self.channel_layer.group_discard(self.topic, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Ignore what a browser says."""

    async def live_event(self, message: dict[str, Any]) -> None:
        """Pass an announcement on."""
        await self.send(json.dumps({key: message[key] for key in ("number", "epoch", "event")} | {"type": "event"}))

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + LIFE_SECONDS * random.uniform(0.9, 1.1)
        next_check = loop.time() + RECHECK_SECONDS
        while loop.time() < end:
            await asyncio.sleep(PING_SECONDS)
            if loop.time() >= next_check:
                next_check += RECHECK_SECONDS
                if await self._checked_subject() != self.topic:
                    await self.close(code=NOT_ALLOWED)
                    return
            await self._tell_position("ping")
        await self.close(code=RECONNECT)

    async def _tell_position(self, kind: str) -> None:
        epoch, number = await asyncio.to_thread(position, str(self.topic))
        await self.send(json.dumps({"type": kind, "epoch": epoch, "number": number}))

    async def _checked_subject(self) -> str | None:
        headers = dict(self.scope["headers"])
        slug = self.scope["url_route"]["kwargs"].get("slug", "")
        host = headers.get(b"host", b"").decode("latin-1")
        cookies = headers.get(b"cookie", b"").decode("latin-1")
        subject: str | None = await database_sync_to_async(self._find_subject)(host, slug, cookies)
        return subject

    def _find_subject(self, host: str, slug: str, cookies: str) -> str | None:
        try:
            seat = find_seat(host=host, slug=slug, cookies=cookies)
        except Http404:
            return None
        return self.subject(seat) if seat else None
