"""Lingering close of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_S = 2.0
"""How long a client that is still sending may continue after its answer."""


class LingeringClose:
    """Wraps a transport; `close` lingers. For one event loop.

    Closing a socket with unread input resets the connection, and the client may lose the answer (RFC 9112, 9.6). So
    while `is_sending` reports that more of a request is to come, `close` shuts down the write side only; the read side
    follows after `LINGER_S`, or when the client closes it. A client that does not read its last answer is aborted after
    `unread_s`.
    """

    def __init__(self, transport: asyncio.Transport, unread_s: float, is_sending: Callable[[], bool]) -> None:
        self.write = transport.write
        self._transport = transport
        self._unread_s = unread_s
        self._is_sending = is_sending
        self._closing = False
        self._timer: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Whether `close` was called or the transport is closing."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Closes the connection as described above."""
        if self.is_closing():
            return
        self._closing = True
        loop = asyncio.get_running_loop()
        if self._is_sending() and self._transport.can_write_eof():
            self._transport.write_eof()
            if not self._transport.is_reading():
                self._transport.resume_reading()
            self._timer = loop.call_later(LINGER_S, self._transport.abort)
        else:
            self._transport.close()
            self._timer = loop.call_later(self._unread_s, self._transport.abort)

    def connection_lost(self) -> None:
        """The connection has ended."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
