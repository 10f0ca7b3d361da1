"""One replica: its circuits, its index, the pipeline and the HTTP server."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from starlette.types import ASGIApp

from ha_rag.allocator import give_memory_back
from ha_rag.assembly.caches import Caches, caches_of
from ha_rag.assembly.documents import IndexDocuments
from ha_rag.assembly.feedback import FleetFeedback, feedback_of
from ha_rag.assembly.gauges import gauges
from ha_rag.assembly.marks import component_marks
from ha_rag.assembly.quality import QualityWatch
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers, reranker_tiers, retriever_tiers
from ha_rag.assembly.tracing import traces_of
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.events import Sink
from ha_rag.http.access import Access
from ha_rag.http.app import build_app
from ha_rag.http.connection import ConnectionLimits
from ha_rag.http.files import allow_files
from ha_rag.http.server import DrainingServer, listening_socket
from ha_rag.http.service import RequestLimits, Service
from ha_rag.index.index import Index
from ha_rag.index.refreshing import kept_fresh
from ha_rag.monitor.watcher import Watcher
from ha_rag.settings import Settings
from ha_rag.settings.tables import ServerTable
from ha_rag.strategy import FallbackStrategy
from ha_rag.system import HighAvailabilityRAG
from ha_rag.telemetry.logs import log_event
from ha_rag.telemetry.metrics import Metrics
from ha_rag.telemetry.workload import Workload
from ha_rag.threads import size_this_process
from ha_rag.version import version

FILES_BESIDE = 1024
"""Open files besides the clients' connections: services, Redis and the index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replica:
    """The parts of a replica. Use it within `running`, which starts and stops them."""

    settings: Settings
    circuits: CircuitRegistry
    index: Index
    rag: HighAvailabilityRAG
    caches: Caches
    feedback: FleetFeedback
    service: Service
    quality: QualityWatch
    app: ASGIApp

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Replica]:
        """Joins the fleet; at the end leaves it and closes everything."""
        async with AsyncExitStack() as stack:
            if self.service.traces is not None:
                stack.push_async_callback(asyncio.to_thread, self.service.traces.close)
            stack.callback(self.index.close)
            for component in self._components():
                stack.push_async_callback(closed, component)
            stack.push_async_callback(self.caches.aclose)
            stack.push_async_callback(self.feedback.aclose)
            await stack.enter_async_context(self.circuits)
            await stack.enter_async_context(self.rag)
            await stack.enter_async_context(kept_fresh(self.index))
            await stack.enter_async_context(self.quality.running())
            await stack.enter_async_context(self.feedback.running())
            await stack.enter_async_context(self.service.watcher.running())
            yield self

    def _components(self) -> list[object]:
        chains = self.rag.strategy.fallback_chains.values()
        return [tier.component for tiers in chains for tier in tiers]


def build_replica(settings: Settings, *, sinks: Sequence[Sink] = ()) -> Replica:
    """The replica that `settings` describe; it contacts nothing yet. Raises ConfigurationError.

    `sinks` receive every event, in addition to the log. Call it within a running event loop: service clients need one.
    """
    circuits = registry_of(settings)
    workload, metrics = Workload(), Metrics()
    traces = traces_of(settings)
    index = Index(settings.index_folder)
    strategy = FallbackStrategy(
        embedders=embedder_tiers(settings),
        retrievers=retriever_tiers(settings, index),
        rerankers=reranker_tiers(settings),
        generators=generator_tiers(settings),
        choose=settings.strategy.choose,
    )
    timeout_s = settings.server.request_timeout_s
    caches = caches_of(settings, circuits, index)
    feedback = feedback_of(settings, circuits, strategy)
    experiment = feedback.experiment
    counter = [experiment.counter] if experiment else []
    heard: tuple[Sink, ...] = (log_event, workload, metrics, *counter, *([traces] if traces else []), *sinks)
    for sink in heard:
        circuits.add_sink(sink)
    rag = HighAvailabilityRAG(
        strategy,
        circuits,
        sinks=heard,
        request_timeout_s=timeout_s,
        observer=traces,
        embedding_cache=caches.embeddings,
        answer_cache=caches.answers,
        new_id=feedback.ids.new,
        experiment=experiment.split if experiment else None,
    )
    quality = QualityWatch(index, rag, component_marks(settings, strategy.embedders), settings.strategy.choose)
    service = Service(
        rag=rag,
        circuits=circuits,
        documents=IndexDocuments(index, strategy, circuits),
        watcher=Watcher(circuits, None, settings.redactor, lambda: feedback.feedback.rows, rag.expected_quality),
        redactor=settings.redactor,
        metrics=metrics,
        access=access_of(settings),
        limits=RequestLimits(request_timeout_s=timeout_s, max_concurrent=settings.server.max_concurrent),
        traces=traces,
        feedback=feedback.feedback,
        experiment=experiment.counter if experiment else None,
        asker_header=experiment.header if experiment else "",
        strict_parameters=settings.server.strict_parameters,
        shares_state=settings.redis_url is not None,
        quality=quality.status,
    )
    app = build_app(service)
    metrics.add_gauges(gauges(circuits, service, caches, feedback.feedback))
    tiers = {str(stage): [tier.name for tier in chain] for stage, chain in strategy.fallback_chains.items() if chain}

    def told() -> dict[str, Any]:
        counts = workload.heartbeat_fields() | {"unanswered": metrics.failed_questions}
        return {"version": version(), "tiers": tiers, **counts, **_load(service)}

    circuits.told = told
    return Replica(
        settings=settings,
        circuits=circuits,
        index=index,
        rag=rag,
        caches=caches,
        feedback=feedback,
        service=service,
        quality=quality,
        app=app,
    )


def _load(service: Service) -> dict[str, int]:
    return {"in_flight": service.in_flight(), "max_concurrent": service.limits.max_concurrent}


def registry_of(settings: Settings, *, replica: str | None = None, sinks: Sequence[Sink] = ()) -> CircuitRegistry:
    """The circuit registry of a process with these settings. `replica`: its name, if not the one in the settings."""
    url = settings.redis_url.reveal() if settings.redis_url else None
    return CircuitRegistry.connect(url, namespace=settings.namespace, replica=replica or settings.replica, sinks=sinks)


def access_of(settings: Settings) -> Access:
    """The access rules of the HTTP server."""
    token = settings.admin_token
    return Access(
        admin_token=token.reveal() if token else None,
        api_keys=tuple(key.reveal() for key in settings.api_keys),
    )


OBJECTS_BETWEEN_COLLECTIONS = 10_000
"""Made and not yet freed, before the garbage collector looks at the youngest. What questions in flight hold is no
garbage, and with Python's 700 it would be looked at again and again."""


async def serve(settings: Settings, *, on_listening: Callable[[str, int], None] = lambda host, port: None) -> None:
    """Runs one replica until SIGTERM or SIGINT, and finishes accepted requests. Raises ConfigurationError."""
    if not settings.allocator_tuned:
        give_memory_back()
    size_this_process(asyncio.get_running_loop())
    host, port = settings.server.host, settings.server.port
    allow_files(settings.server.max_connections + FILES_BESIDE)
    with listening_socket(host, port) as listening:
        async with build_replica(settings).running() as replica:
            server = DrainingServer(
                replica.app,
                host=host,
                port=port,
                finish_s=settings.server.request_timeout_s,
                limits=connection_limits(settings.server),
                on_draining=replica.service.drain,
                on_serving=lambda: on_listening(host, listening.getsockname()[1]),
            )
            # Objects from start-up live as long as the process, so the garbage collector can skip them.
            gc.collect()
            gc.freeze()
            gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
            await server.serve([listening])


def run(settings: Settings, *, on_listening: Callable[[str, int], None] = lambda host, port: None) -> None:
    """`serve`, on uvloop if it is installed."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(settings, on_listening=on_listening))


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Uvloop's factory if it is installed, else None (asyncio's default)."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def connection_limits(server: ServerTable) -> ConnectionLimits:
    """The server's limits on connections."""
    return ConnectionLimits(
        connections=server.max_connections,
        head_s=server.head_timeout_s,
        idle_s=server.idle_timeout_s,
        unread_s=server.unread_timeout_s,
    )


async def closed(component: object) -> None:
    """Closes a component that has an `aclose` method."""
    close = getattr(component, "aclose", None)
    if close is not None:
        await close()
