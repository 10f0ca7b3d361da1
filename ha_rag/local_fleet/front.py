"""The one port of `ha-rag up`: a small reverse proxy that sends each request to a replica that is ready.

Round robin over the ready replicas. A request whose connection fails, or whose reply never begins, is retried on
another one. A question without a reply for two seconds is also sent to another one (hedged), and the first reply wins;
bodies larger than a question's are not hedged.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ha_rag.allocator import give_memory_back
from ha_rag.http.body_limit import MAX_PARTIAL_BYTES, QUESTION_BODY_BYTES
from ha_rag.http.connection import SPARE, ConnectionLimits
from ha_rag.http.files import allow_files
from ha_rag.local_fleet.bodies import Bodies
from ha_rag.local_fleet.connection import Entrance, with_short_head
from ha_rag.local_fleet.gathered_metrics import CONTENT_TYPE, gathered_metrics
from ha_rag.local_fleet.race import NoReplyError, first_reply
from ha_rag.local_fleet.refusals import expected, in_one_form, no_replica, unnamed
from ha_rag.local_fleet.relay import ask, check_passable, may_repeat, pass_back
from ha_rag.local_fleet.upstreams import Upstream, Upstreams
from ha_rag.settings.environment import read_environment

FILES_BESIDE = 2 * SPARE
"""Open files in addition to two connections per relayed request."""
ENDLESS_PATHS = frozenset(["/v1/events"])
"""Replies that end only when the client disconnects: a stopping front does not wait for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontConfig:
    """`patience_s`: wait for a reply before a second replica is asked. `drain_s`: for requests in flight at a stop.

    `connect_s`: for a replica to accept a connection, at the first and at a second attempt. `body_s`: for a client to
    send its request's body. `bodies_bytes`: limit on all bodies that no replica has replied to yet. `limits`: of the
    clients' connections; here `head_s` limits line and headers of the first request, and `idle_s` those of each later
    one, from the reply on.
    """

    patience_s: float = 2.0
    drain_s: float = 5.0
    connect_s: float = 1.0
    body_s: float = 30.0
    bodies_bytes: int = MAX_PARTIAL_BYTES
    limits: ConnectionLimits = field(default_factory=ConnectionLimits)


class Front:
    """Relays requests to replicas. Used on one event loop."""

    def __init__(self, replicas: Sequence[Upstream], config: FrontConfig | None = None) -> None:
        self._replicas = Upstreams(replicas)
        self._config = config or FrontConfig()
        self._session: aiohttp.ClientSession | None = None
        self._bodies = Bodies(self._config.body_s, self._config.bodies_bytes)
        self._endless: set[asyncio.Future[web.StreamResponse]] = set()

    def app(self) -> web.Application:
        """The application that listens."""
        app = web.Application(middlewares=[in_one_form, with_short_head])
        app.router.add_get("/metrics", self.metrics, expect_handler=expected)
        app.router.add_route("*", "/{path:.*}", self.relay, expect_handler=expected)
        app.on_response_prepare.append(unnamed)
        app.cleanup_ctx.append(self._watching)
        app.on_shutdown.append(self._end_endless)
        return app

    async def metrics(self, request: web.Request) -> web.Response:
        """The metrics of all replicas: those of a single one would not describe the fleet."""
        if self._session is None:
            raise no_replica("the front has not started")
        text = await gathered_metrics(self._session, self._replicas.all)
        return web.Response(body=text.encode(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    async def relay(self, request: web.Request) -> web.StreamResponse:
        """One request, from the client to a replica and back."""
        replica, reply = await self._reply(request)
        if request.path in ENDLESS_PATHS:
            return await self._pass_back_until_stopped(request, replica, reply)
        return await pass_back(request, replica, reply)

    async def _reply(self, request: web.Request) -> tuple[Upstream, aiohttp.ClientResponse]:
        check_passable(request)
        replicas, session = self._replicas.in_turn(), self._session
        if not replicas or session is None:
            raise no_replica("no replica is ready; they are starting, or have all just failed")
        async with self._bodies.of(request) as body:
            try:
                return await first_reply(
                    replicas,
                    lambda replica: ask(session, replica, request, body),
                    repeatable=may_repeat(request.method, request.path),
                    # A large body takes a replica longer, and two replicas would spend that time.
                    hedged=len(body) <= QUESTION_BODY_BYTES,
                    patience_s=self._config.patience_s,
                    discard=lambda reply: reply.close(),
                )
            except NoReplyError as error:
                raise no_replica(str(error)) from None

    async def _pass_back_until_stopped(
        self, request: web.Request, replica: Upstream, reply: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        passing = asyncio.ensure_future(pass_back(request, replica, reply))
        self._endless.add(passing)
        passing.add_done_callback(self._endless.discard)
        return await passing

    async def _end_endless(self, _: web.Application) -> None:
        for passing in list(self._endless):
            passing.cancel()

    async def _watching(self, _: web.Application) -> AsyncIterator[None]:
        # Replies are passed on unchanged, compressed or not; their time limits are the replica's.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=self._config.connect_s)
        # Shorter than the replicas' idle timeout, so that we do not use a connection that a replica has just closed.
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=3.0)
        async with aiohttp.ClientSession(
            connector=connector, timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            self._session = session
            checking = asyncio.create_task(self._replicas.keep_checking(session))
            yield
            checking.cancel()
            await asyncio.gather(checking, return_exceptions=True)


async def serve(front: Front, host: str, port: int, config: FrontConfig, stop: asyncio.Event) -> None:
    """Listens until `stop`, then lets requests in flight finish for at most `config.drain_s`."""
    logging.getLogger("aiohttp.server").addFilter(_tells_no_header)
    runner = web.AppRunner(front.app(), handler_cancellation=True, shutdown_timeout=config.drain_s)
    await runner.setup()
    if runner.server is None:
        raise RuntimeError("a runner that is set up has a server")
    listening = await asyncio.get_running_loop().create_server(
        Entrance(runner.server, config.limits), host, port, reuse_address=True, backlog=config.limits.connections
    )
    try:
        await stop.wait()
    finally:
        listening.close()
        await runner.cleanup()


async def _until_told(front: Front, host: str, port: int, config: FrontConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers in its event loop
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await serve(front, host, port, config, stop)


def named_replica(text: str) -> Upstream:
    """`rag-1=http://127.0.0.1:8001` as a replica."""
    name, _, url = text.partition("=")
    return Upstream(name=name, url=url.rstrip("/"))


def main() -> None:
    """`python -m ha_rag.local_fleet.front --port 8000 rag-1=http://127.0.0.1:8001 ...`."""
    parser = argparse.ArgumentParser(description="One port in front of several replicas.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("replicas", nargs="+", type=named_replica, metavar="NAME=URL")
    given = parser.parse_args()
    if not read_environment().allocator_tuned:
        give_memory_back()
    config = FrontConfig()
    allow_files(2 * config.limits.connections + FILES_BESIDE)
    with asyncio.Runner(loop_factory=_fastest_loop()) as runner:
        runner.run(_until_told(Front(given.replicas, config), given.host, given.port, config))


def _tells_no_header(record: logging.LogRecord) -> bool:
    """Aiohttp logs malformed requests with the offending line, which may contain a token."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, HttpProcessingError):
        record.exc_info, record.exc_text = None, None
    return True


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's event loop, where it is installed (not on Windows)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    main()
