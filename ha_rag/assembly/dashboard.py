"""The dashboard process: shows and controls a fleet, without being one of its replicas or answering questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ha_rag.assembly.replica import FILES_BESIDE, access_of, connection_limits, loop_factory
from ha_rag.breaker.fleet_observer import FleetObserver
from ha_rag.errors import ConfigurationError
from ha_rag.http.dashboard_app import build_dashboard_app
from ha_rag.http.files import allow_files
from ha_rag.http.server import DrainingServer, listening_socket
from ha_rag.http.service import DashboardService
from ha_rag.monitor.watcher import Watcher
from ha_rag.settings import Settings


@asynccontextmanager
async def running_service(settings: Settings) -> AsyncIterator[DashboardService]:
    """The data source of the dashboard's pages, while the block lasts. Raises ConfigurationError."""
    if settings.redis_url is None:
        raise ConfigurationError("a dashboard needs Redis: set HA_RAG_REDIS_URL, or fleet.redis_url in the file")
    observer = FleetObserver.connect(settings.redis_url.reveal(), namespace=settings.namespace, name=settings.replica)
    async with observer, Watcher(observer, redactor=settings.redactor).running() as watcher:
        yield DashboardService(
            circuits=observer, watcher=watcher, access=access_of(settings), redactor=settings.redactor
        )


def run_dashboard(settings: Settings) -> None:
    """Serves the dashboard until SIGTERM or SIGINT. Raises ConfigurationError."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    host, port = settings.server.host, settings.server.port
    allow_files(settings.server.max_connections + FILES_BESIDE)
    with listening_socket(host, port) as listening:
        async with running_service(settings) as service:
            server = DrainingServer(
                build_dashboard_app(service),
                host=host,
                port=port,
                finish_s=settings.server.request_timeout_s,
                limits=connection_limits(settings.server),
                on_draining=service.drain,
            )
            await server.serve([listening])
