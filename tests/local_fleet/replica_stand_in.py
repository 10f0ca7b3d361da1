"""Upstreams whose behaviour a test sets, and a front before them that serves as its process does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web
from aiohttp.test_utils import TestServer

from ha_rag.http.body_limit import MAX_BODY_BYTES
from ha_rag.http.connection import MAX_HEAD_BYTES
from ha_rag.local_fleet.front import Front, FrontConfig, serve
from ha_rag.local_fleet.upstreams import Upstream
from tests.ports import free_port

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class StandIn:
    """A replica whose behaviour a test sets; `seen` are the requests that reached it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answer: Handler = self.says_its_name
        self.ready = True
        self.seen: list[web.Request] = []
        self.asked, self.called_off = asyncio.Event(), asyncio.Event()
        self.server = TestServer(self._app())

    async def says_its_name(self, _: web.Request) -> web.StreamResponse:
        return web.Response(text=self.name)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=2 * MAX_BODY_BYTES)
        app.router.add_get("/health/ready", self._readiness)
        app.router.add_route("*", "/{path:.*}", self._handle)
        return app

    async def _readiness(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready else 503)

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        await request.read()
        self.seen.append(request)
        self.asked.set()
        try:
            return await self.answer(request)
        except asyncio.CancelledError:
            self.called_off.set()
            raise

    @property
    def replica(self) -> Upstream:
        return Upstream(name=self.name, url=str(self.server.make_url("")).rstrip("/"), ready=True)


async def hangs_up(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stays_silent(_: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError


@asynccontextmanager
async def serving(config: FrontConfig, *stand_ins: StandIn) -> AsyncIterator[int]:
    """A front before them that serves as its process does; its port."""
    async with AsyncExitStack() as stack:
        for stand_in in stand_ins:
            await stand_in.server.start_server(max_field_size=MAX_HEAD_BYTES)
            stack.push_async_callback(stand_in.server.close)
        stop, port = asyncio.Event(), free_port()
        front = Front([stand_in.replica for stand_in in stand_ins], config)
        running = asyncio.create_task(serve(front, "127.0.0.1", port, config, stop))
        await _listens(port)
        try:
            yield port
        finally:
            stop.set()
            await running


async def _listens(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except ConnectionError:
            await asyncio.sleep(0)
        else:
            writer.close()
            await writer.wait_closed()
            return
