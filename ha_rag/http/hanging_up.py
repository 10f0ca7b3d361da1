"""Hanging up on a client such that it hears the last answer, and has to hang up itself before long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

LINGER_S = 2.0
"""How long a client that still sends has to stop, once it has its answer."""


class HangingUp:
    """A connection's transport, with another `close`. For one event loop.

    A socket that is closed while bytes wait in it resets the connection, and the client may lose the answer with it
    (RFC 9112, 9.6). So as long as `is_sending` says that more of a request is to come, only the answering half is
    closed, and the other one after `LINGER_S`, or when the client has closed it. A client that does not take its last
    answer is not waited for longer than `unread_s`.
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
        """Whether no more is to be said."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Ends the connection as described above."""
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

    def ended(self) -> None:
        """The connection is gone."""
        self._closing = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
