"""The simulated provider: OpenAI-compatible, answers from real vectors and passages, and fails on command."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from ha_rag.clock import Clock, SystemClock
from ha_rag.simulation import chat, embeddings, rerank
from ha_rag.simulation.callers import Callers
from ha_rag.simulation.control import Controls
from ha_rag.simulation.counts import CallCounts
from ha_rag.simulation.dialects import DIALECTS, spoken_events, spoken_whole
from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import FaultBoard, RunningFault, Target
from ha_rag.simulation.misbehaviour import bad_reply, cut_short, dripped, halves, hang_up, held_back
from ha_rag.simulation.wire import JSON, BadRequestError, error_reply, json_object, json_reply

REPLICA_HEADER = "X-HA-RAG-Replica"
_PROPAGATED = ("X-Request-Id", "traceparent")
LARGEST_BODY = 16 * 1024 * 1024
EVENTS = {"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
Answering = Callable[[web.Request, RunningFault | None], Awaitable[web.StreamResponse]]


class SimulatedProvider:
    """The application and its state. For one event loop.

    `latency_ms`: added to every correct response. `seed`: determines which calls a fault with a rate below 1 affects.
    `hosts`: names by which it may be called besides addresses and names without a dot.
    """

    def __init__(
        self, *, latency_ms: float = 0.0, seed: int = 0, hosts: Sequence[str] = (), clock: Clock | None = None
    ) -> None:
        clock = clock or SystemClock()
        self._callers = Callers(hosts)
        self.faults = FaultBoard(clock, seed)
        self.counts = CallCounts(clock)
        self._latency_s = latency_ms / 1000
        self._embeddings = embeddings.EmbeddingsEndpoint()
        self._rerank = rerank.RerankEndpoint(self._embeddings)

    def app(self) -> web.Application:
        """The application, with its routes."""
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._callers.middleware()])
        app.add_routes(
            [
                web.post("/v1/embeddings", self._embed),
                web.post("/v1/chat/completions", self._chat),
                web.post("/v1/rerank", self._reranked),
                web.post("/rerank", self._reranked_as_tei),
                web.get("/v1/models", _models),
                web.get("/health", _health),
                *Controls(self.faults, self.counts).routes(),
                web.route("*", "/{path:.*}", _not_found),
            ]
        )
        return app

    async def _embed(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, Target.EMBEDDINGS, self._embeddings_response)

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        return await self._answered(request, Target.CHAT, self._chat_response)

    async def _reranked(self, request: web.Request) -> web.StreamResponse:
        async def response(request: web.Request, running: RunningFault | None) -> web.StreamResponse:
            return await _whole(request, await self._rerank.reply(await json_object(request)), running)

        return await self._answered(request, Target.RERANK, response)

    async def _reranked_as_tei(self, request: web.Request) -> web.StreamResponse:
        async def response(request: web.Request, running: RunningFault | None) -> web.StreamResponse:
            return await _whole(request, await self._rerank.reply_as_tei(await json_object(request)), running)

        return await self._answered(request, Target.RERANK, response)

    async def _answered(self, request: web.Request, target: Target, answer: Answering) -> web.StreamResponse:
        """Counts one call and answers it, correctly or as the active fault demands."""
        running = self.faults.hits(target)
        outcome = running.fault.mode.value if running else "ok"
        self.counts.add(target, outcome, *(_header(request, name) for name in (REPLICA_HEADER, *_PROPAGATED)))
        if running is not None:
            await self._delay(running)
            if (bad := bad_reply(request, target, running.fault)) is not None:
                return bad
        if self._latency_s:
            await asyncio.sleep(self._latency_s)
        try:
            return await answer(request, running)
        except BadRequestError as error:
            return error_reply(str(error), 400, param=error.param)

    async def _delay(self, running: RunningFault) -> None:
        if running.fault.mode is FaultMode.SLOW:
            await held_back(running.over, running.fault.delay_s)
        elif running.fault.mode is FaultMode.HANG:
            await held_back(running.over, self.faults.left_s(running))

    async def _embeddings_response(self, request: web.Request, running: RunningFault | None) -> web.StreamResponse:
        asked = await json_object(request)
        if _mode(running) is FaultMode.NO_BASE64 and asked.get("encoding_format") not in {None, "float"}:
            raise BadRequestError("encoding_format must be float (simulated)", "encoding_format")
        return await _whole(request, await self._embeddings.reply(asked), running)

    async def _chat_response(self, request: web.Request, running: RunningFault | None) -> web.StreamResponse:
        asked = chat.ChatRequest(await json_object(request))
        if asked.stream and _mode(running) is not FaultMode.WHOLE:
            return await _streamed(request, list(chat.streamed_reply(asked)), running)
        return await _whole(request, chat.whole_reply(asked), running)


@dataclass(frozen=True, slots=True)
class RunningProvider:
    """A provider that listens at `url`, such as "http://127.0.0.1:9100"."""

    provider: SimulatedProvider
    url: str

    @property
    def base_url(self) -> str:
        """The `base_url` for clients."""
        return f"{self.url}/v1"


@asynccontextmanager
async def running_provider(
    host: str = "127.0.0.1", port: int = 0, provider: SimulatedProvider | None = None
) -> AsyncIterator[RunningProvider]:
    """Runs a provider on this event loop while the block lasts. `port` 0: any free one."""
    provider = provider or SimulatedProvider()
    runner = web.AppRunner(provider.app(), access_log=None, handler_cancellation=True, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, backlog=1024, reuse_address=True)
        await site.start()
        bound = runner.addresses[0]
        yield RunningProvider(provider, f"http://{host}:{bound[1]}")
    finally:
        provider.faults.end_all()
        await runner.cleanup()


def run_provider(
    host: str = "127.0.0.1", port: int = 9100, *, latency_ms: float = 0.0, seed: int = 0, hosts: Sequence[str] = ()
) -> None:
    """Runs a provider in this process until SIGTERM or SIGINT."""
    provider = SimulatedProvider(latency_ms=latency_ms, seed=seed, hosts=hosts)
    with asyncio.Runner(loop_factory=_fastest_loop()) as loop:
        loop.run(_until_stopped(host, port, provider))


async def _until_stopped(host: str, port: int, provider: SimulatedProvider) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running_provider(host, port, provider) as running:
        logging.getLogger(__name__).info("the simulated provider listens at %s", running.base_url)
        await stop.wait()


def _fastest_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _mode(running: RunningFault | None) -> FaultMode | None:
    return running.fault.mode if running is not None else None


async def _whole(request: web.Request, reply: bytes, running: RunningFault | None) -> web.StreamResponse:
    if running is not None and running.fault.mode in DIALECTS:
        return spoken_whole(running.fault.mode, reply)
    if running is not None and running.fault.mode is FaultMode.TRUNCATE:
        return await cut_short(request, reply, JSON)
    if running is not None and running.fault.mode is FaultMode.DRIP:
        headers = {"Content-Type": JSON, "Content-Length": str(len(reply))}
        return await dripped(request, halves(reply), headers, running)
    return web.Response(body=reply, content_type=JSON)


async def _streamed(request: web.Request, events: Sequence[bytes], running: RunningFault | None) -> web.StreamResponse:
    if running is not None and running.fault.mode is FaultMode.DRIP:
        return await dripped(request, events, EVENTS, running)
    cut, headers = _mode(running) is FaultMode.TRUNCATE, EVENTS
    if running is not None and running.fault.mode in DIALECTS:
        events, headers = spoken_events(running.fault.mode, events)
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    for event in events[: len(events) // 2] if cut else events:
        await response.write(event)
    if cut:
        hang_up(request)
    return response


def _header(request: web.Request, name: str) -> str:
    return "".join(c for c in request.headers.get(name, "")[:128] if c.isprintable())


async def _models(_: web.Request) -> web.Response:
    names = (embeddings.MODEL, chat.MODEL, rerank.MODEL)
    return json_reply(
        {
            "object": "list",
            "data": [{"id": name, "object": "model", "created": 0, "owned_by": "simulation"} for name in names],
        }
    )


async def _health(_: web.Request) -> web.Response:
    return json_reply({"status": "ok"})


async def _not_found(request: web.Request) -> web.Response:
    return error_reply(f"there is no {request.method} {request.path}", 404)
