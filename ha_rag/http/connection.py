"""Connections that cost little: how many there may be, and how long saying a request and reading an answer may take.

uvicorn bounds none of these. A client that says its request letter by letter, one that never reads its answer and one
that sends headers without end would hold memory, and in the end every connection, for as long as they like
(slowloris; RFC 9110, 15.5.9 and RFC 6585, 5 for what they are told).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ha_rag.http.hanging_up import HangingUp
from ha_rag.http.problems import Problem, retry_after

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_WAITING = 16
"""Requests of one connection that wait for those before them (pipelining; RFC 9112, 9.3.2)."""

MAX_REFUSED_BYTES = 256 * 1024
"""Of a request that has its answer already: so much is still read and thrown away, so that the answer is heard."""

SPARE = 128
"""Connections above the limit that are still listened to, so that whoever asks for a replica's health is answered."""

WITHIN_REACH = (b"/health", b"/metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """`head_s`: for a request's line and headers, from its first byte or the connection's begin to their end.

    `idle_s`: between two requests of one connection. `unread_s`: how long an answer may wait for its reader.
    `connections`: open at a time; beyond it only health is answered, and with `SPARE` more nothing at all.
    """

    connections: int = 2048
    head_s: float = 10.0
    idle_s: float = 5.0
    unread_s: float = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with bounds. `limits` is set by `bounded`."""

    limits = ConnectionLimits()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._unused_bytes = 0
        self._used = False
        self._in_head = True
        self._sending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._end = HangingUp(cast("asyncio.Transport", transport), self.limits.unread_s, self._is_sending)
        super().connection_made(cast("asyncio.Transport", self._end))
        if len(self.connections) > self.limits.connections + SPARE:
            self._refuse(_crowded(self.limits.connections))
            return
        self._timer = self.loop.call_later(self.limits.head_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has left."""
        self._stop_timer()
        self._end_wait_for_reader()
        self._end.ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request."""
        if self._end.is_closing():
            self._throw_away(data)
            return
        self._used = False
        super().data_received(data)
        if not self._used:
            self._throw_away(data)
        if self._timer is None and self._is_idle():
            # uvicorn's own timer for idle connections ends with the first byte, of whatever it may be.
            self._timer = self.loop.call_later(self.limits.idle_s, self._too_slow)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = self._sending = True
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.head_s, self._too_slow)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Those after the body (trailers) say nothing that is of use here (RFC 9110, 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)
            if len(self.headers) > MAX_HEADERS:
                self._refuse(_many_headers())

    def on_headers_complete(self) -> None:
        """Line and headers are here."""
        self._in_head = False
        self._is_used()
        self._stop_timer()
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refuse(_long_head())
        elif len(self.connections) > self.limits.connections and not self.url.startswith(WITHIN_REACH):
            self._refuse(_crowded(self.limits.connections))
        elif len(self.pipeline) >= MAX_WAITING:
            self.transport.abort()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body; of a request that was refused there is nobody to take it."""
        if not self.transport.is_closing() and not self.cycle.response_complete:
            self._is_used()
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._sending = False
        self._is_used()
        if not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP is told so, in the form of every other error."""
        self._refuse(_no_http())

    def pause_writing(self) -> None:
        """The client does not read as fast as it is written to."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read."""
        self._end_wait_for_reader()
        super().resume_writing()

    def _is_idle(self) -> bool:
        """Whether the client waits for nothing: what it asked, if anything, is answered."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first, whatever uvicorn's types say
        return cycle is None or cycle.response_complete

    def _is_sending(self) -> bool:
        return self._sending

    def _is_used(self) -> None:
        self._used, self._unused_bytes = True, 0

    def _throw_away(self, data: bytes) -> None:
        self._unused_bytes += len(data)
        if self._in_head and not self._end.is_closing():
            if self._unused_bytes > MAX_HEAD_BYTES:
                self._refuse(_long_head())
        elif self._unused_bytes > MAX_REFUSED_BYTES:
            self.transport.abort()

    def _too_slow(self) -> None:
        self._timer = None
        if self._sending and self._in_head:
            self._refuse(_slow_head(self.limits.head_s))
        else:
            self.transport.close()  # nothing was asked, or all that was asked is answered

    def _refuse(self, problem: Problem) -> None:
        """Answers before there is a request to answer, and hangs up."""
        if self.transport.is_closing():
            return
        if not self._is_idle():
            self.transport.abort()  # an answer is on its way, and another one in its midst would be taken for a part
            return
        body = problem.body()
        lines = [f"HTTP/1.1 {problem.status} {_WORDS[problem.status]}", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", "connection: close"]
        lines += [f"{name.lower()}: {value}" for name, value in problem.headers.items()]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end_wait_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


_WORDS = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def _no_http() -> Problem:
    return Problem(400, "bad_request", "this is not valid HTTP/1.1; nothing was done")


def _crowded(most: int) -> Problem:
    message = f"this replica has {most} connections open, which is its limit; try again"
    return Problem(503, "overloaded", message, headers=retry_after(1))


def _slow_head(head_s: float) -> Problem:
    return Problem(408, "request_timeout", f"the request's headers did not arrive within {head_s:g} s")


def _long_head() -> Problem:
    return Problem(431, "headers_too_large", f"line and headers must have at most {MAX_HEAD_BYTES:,} bytes")


def _many_headers() -> Problem:
    return Problem(431, "headers_too_large", f"a request must have at most {MAX_HEADERS} headers")


def bounded(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """The protocol with these limits, as uvicorn wants it: a class."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})
