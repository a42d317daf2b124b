"""One person drops a card; how long until the others' browsers have it."""

import asyncio
import json
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field

import websockets

from bench.data import OWNERS
from bench.measure import quantile
from bench.meter import cpu_seconds
from bench.people import Mover, browser, mover, sign_in
from bench.report import Area, Figure
from bench.servers import GUNICORN, UVICORN, gunicorn, uvicorn
from bench.setting import Setting
from bench.wire import Wire

METHOD = """Colleagues with the same board open listen on websockets with their own sessions; somebody drops a card
every quarter of a second. From the moment the drop is sent: until the *whisper* (ids and numbers) has arrived, and
until the *card* has, for which each of the colleagues asks at once, all of them at the same moment on the same two
workers. Over all colleagues and all drops."""
LIMITS = {5: 50, 20: 100}
WARM, DROPS = 5, 40


@dataclass
class Watcher:
    """A colleague with the board open."""

    socket: websockets.ClientConnection
    wire: Wire
    board: str
    heard: list[float] = field(default_factory=list)
    seen: list[float] = field(default_factory=list)

    async def watch(self, began: float) -> None:
        """Wait for a drop that was sent at `began`, then for its card."""
        async for text in self.socket:
            message = json.loads(text)
            if message["type"] == "event":
                break
        self.heard.append((time.perf_counter() - began) * 1000)
        lead, event = message["event"]["leads"][0][0], message["event"]
        stages = ",".join(map(str, event["stages"]))
        page = await self.wire.get(f"{self.board}delta/?ids={lead}&stages={stages}")
        self.seen.append((time.perf_counter() - began) * 1000)
        if f'id="lead-{lead}"' not in page:
            raise RuntimeError(f"the delta does not hold lead {lead}: {page[:300]}")


def run(here: Setting) -> Area:
    """Measure the way of a card to the second browser."""
    figures = []
    with ExitStack() as stack:
        pages = stack.enter_context(gunicorn("config.wsgi", env=here.env, folder=here.folder, port=here.port))
        sockets = stack.enter_context(uvicorn(env=here.env, folder=here.folder))
        people = [stack.enter_context(browser(pages.address)) for _owner in OWNERS]
        for owner, person in enumerate(people):
            sign_in(person, owner)
        cookies = ["; ".join(f"{name}={value}" for name, value in person.cookies.items()) for person in people]
        somebody = mover(people[0], here.database_url, "bench1k")
        serving = (pages.pid, sockets.pid, here.postgres)
        for count, limit in LIMITS.items():
            before = sum(map(cpu_seconds, serving))
            heard, seen = asyncio.run(
                drops(here, sockets.address, pages.address, somebody, (cookies * 4)[1 : count + 1])
            )
            spent = (sum(map(cpu_seconds, serving)) - before) * 1000 / (DROPS + WARM)
            figures += [
                Figure(f"{count} colleagues: whisper p50", quantile(heard, 0.5), "ms"),
                Figure(f"{count} colleagues: whisper p95", quantile(heard, 0.95), "ms"),
                Figure(f"{count} colleagues: card p50", quantile(seen, 0.5), "ms", limit=limit),
                Figure(f"{count} colleagues: card p95", quantile(seen, 0.95), "ms"),
                Figure(f"{count} colleagues: CPU of a drop and all its cards", spent, "ms"),
            ]
    return Area("live", "Second browser", f"{GUNICORN} for pages; {UVICORN} for sockets", METHOD, figures)


async def drops(
    here: Setting, sockets: str, pages: str, somebody: Mover, cookies: Iterable[str]
) -> tuple[list[float], list[float]]:
    """Drop cards before watchers; return all times until they heard and until they saw."""
    watchers = [await open_board(here, sockets, pages, somebody, cookie) for cookie in cookies]
    try:
        for number in range(WARM + DROPS):
            began = time.perf_counter()
            await asyncio.gather(asyncio.to_thread(somebody.move), *(watcher.watch(began) for watcher in watchers))
            if number == WARM - 1:
                for watcher in watchers:
                    watcher.heard.clear()
                    watcher.seen.clear()
            await asyncio.sleep(0.25)
    finally:
        for watcher in watchers:
            watcher.wire.close()
            await watcher.socket.close()
    return [each for one in watchers for each in one.heard], [each for one in watchers for each in one.seen]


async def open_board(here: Setting, sockets: str, pages: str, somebody: Mover, cookies: str) -> Watcher:
    """Open the socket of a board as its page does, through the address of the site."""
    base = f"{here.site}/o/{somebody.slug}"
    host, _colon, port = sockets.partition(":")
    socket = await websockets.connect(
        f"ws://{base}/ws/pipeline/{somebody.pipeline}/",
        host=host,
        port=int(port),
        origin=f"http://{here.site}",  # type: ignore[arg-type]
        additional_headers={"Cookie": cookies},
        compression=None,
    )
    wire = Wire(pages, site=here.site, cookies=cookies)
    await wire.open()
    return Watcher(socket, wire, f"/o/{somebody.slug}/board/{somebody.pipeline}/")
