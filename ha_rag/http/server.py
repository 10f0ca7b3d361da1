"""Serving one replica until it is told to stop, and then draining: nothing in flight is lost."""

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
"""How long a replica that is to stop still takes requests, while it tells those who feed it that it is not ready."""

log = logging.getLogger("ha_rag.http")


class DrainingServer(uvicorn.Server):
    """A uvicorn server that says so before it stops.

    On SIGTERM or SIGINT: `on_draining` is called (readiness turns 503), requests are still taken for `notice_s`, then
    no more, those in flight finish (at most `finish_s`), and `serve` returns. A second signal ends it at once.
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
            # Whoever asks is judged by the connection itself (see `access`), so nobody may say he is somebody else.
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
        """Signals stop the server and nothing else: `serve` returns, and its caller tidies up."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """What a signal does."""
        self._loop.call_soon_threadsafe(self.drain, signal.Signals(sig).name)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to take requests; from here on a signal means to drain."""
        await super().startup(sockets)
        self._on_serving()

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serves until it has been told to stop and has finished what it had taken."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def drain(self, reason: str = "asked to") -> None:
        """Begins to stop; a second call ends at once."""
        if self._stopping is not None:
            self.should_exit = self.force_exit = True
            return
        log.info("stopping (%s): finishing what is under way", reason)
        self._on_draining()
        self._stopping = self._loop.call_later(self._notice_s, self._stop_listening)

    def _stop_listening(self) -> None:
        self.should_exit = True

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens on, once it does."""
        listening = [name for server in self.servers for bound in server.sockets for name in [bound.getsockname()]]
        return listening[0][:2] if listening else (self.config.host, self.config.port)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on `host` and `port`. Raises ConfigurationError, in a sentence, where that cannot be."""
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
        # Whoever connects from here on waits in line until the server takes over, and is not refused.
        listening.listen(2048)
    except OSError:
        listening.close()
        raise
    return listening
