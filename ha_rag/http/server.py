"""Serves one replica until a signal, then drains: requests in flight are finished."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from ha_rag.errors import ConfigurationError
from ha_rag.http.connection import ConnectionLimits, bounded

NOTICE_S = 0.5
"""How long a draining replica still accepts requests, so that load balancers see that it is not ready."""

log = logging.getLogger("ha_rag.http")


class DrainingServer(uvicorn.Server):
    """A uvicorn server that drains before it stops.

    On SIGTERM or SIGINT: `on_draining` is called (readiness turns 503); requests are accepted for another `notice_s`;
    those in flight finish within `finish_s`; `serve` returns. A second signal stops it at once. Times are in seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        finish_s: float,
        on_draining: Callable[[], None],
        on_serving: Callable[[], None] = lambda: None,
        notice_s: float = NOTICE_S,
        limits: ConnectionLimits | None = None,
    ) -> None:
        limits = limits or ConnectionLimits()
        config = uvicorn.Config(
            app,
            http=bounded(limits),
            ws="none",
            timeout_keep_alive=max(1, round(limits.idle_s)),
            host=host,
            port=port,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # `access` judges clients by the address of the connection, which headers must not replace.
            proxy_headers=False,
            timeout_graceful_shutdown=max(1, round(finish_s)),
        )
        super().__init__(config)
        self._on_draining = on_draining
        self._on_serving = on_serving
        self._notice_s = notice_s
        self._stopping: asyncio.TimerHandle | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals only stop the server: `serve` returns, and its caller cleans up."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Starts draining on a signal."""
        self._loop.call_soon_threadsafe(self.drain, signal.Signals(sig).name)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts to accept requests."""
        await super().startup(sockets)
        self._on_serving()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until stopped and drained."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def drain(self, reason: str = "requested") -> None:
        """Starts draining; a second call stops at once."""
        if self._stopping is not None:
            self.should_exit = self.force_exit = True
            return
        log.info("stopping (%s): finishing the requests in flight", reason)
        self._on_draining()
        self._stopping = self._loop.call_later(self._notice_s, self._stop_listening)

    def _stop_listening(self) -> None:
        self.should_exit = True

    @property
    def address(self) -> tuple[str, int]:
        """The host and port it listens on; the configured ones before that."""
        names = [bound.getsockname() for server in self.servers for bound in server.sockets]
        return names[0][:2] if names else (self.config.host, self.config.port)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`. Raises ConfigurationError if that fails."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, _, _, address = found[0]
        return _bound(socket.socket(family, kind), address)
    except OSError as error:
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {error.strerror or error}; choose another with --port or server.port"
        ) from None


def _bound(listening: socket.socket, address: tuple[object, ...]) -> socket.socket:
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        # From here on connections queue until the server accepts them, instead of being refused.
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening
