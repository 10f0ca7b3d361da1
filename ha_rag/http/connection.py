"""Connection limits: number of connections, size and time of headers, idle time, slow readers.

uvicorn limits none of these: slow or endless headers and unread answers would hold memory and connections without bound
(slowloris). Statuses: RFC 9110, 15.5.9 (408) and RFC 6585, 5 (431).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from ha_rag.http.lingering_close import LingeringClose
from ha_rag.http.problems import Problem, retry_after
from ha_rag.http.turned_away import TurnedAway

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Pipelined requests of one connection that may wait for earlier ones (RFC 9112, 9.3.2)."""

MAX_REFUSED_BYTES = 256 * 1024
"""How much of a request is still read and discarded after it was refused, so that the client receives the answer."""

SPARE = 128
"""Connections above the limit that are still accepted, for health checks and metrics; as many more are told 503."""

ALWAYS_SERVED = (b"/health", b"/metrics")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """`connections`: open at a time; beyond it only health and metrics are served, and beyond `SPARE` more nothing.

    Seconds: `head_s`: to receive a request's line and headers, from the first byte or the start of the connection.
    `idle_s`: between two requests of one connection. `unread_s`: an answer may wait for the client to read it.
    """

    connections: int = 2048
    head_s: float = 10.0
    idle_s: float = 5.0
    unread_s: float = 30.0


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol with connection limits. `limits` and `turned_away` are set by `bounded`, for one server."""

    limits = ConnectionLimits()
    turned_away = TurnedAway(SPARE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        self._discarded_bytes = 0
        self._consumed = False
        self._in_head = True
        self._sending = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._lingering = LingeringClose(cast("asyncio.Transport", transport), self.limits.unread_s, self._is_sending)
        super().connection_made(cast("asyncio.Transport", self._lingering))
        if len(self.connections) - len(self.turned_away) > self.limits.connections + SPARE:
            self._sending = True  # most clients send their request at once, and would see a reset
            self.turned_away.add(self._lingering, _on_the_wire(_too_many_connections(self.limits.connections)))
            return
        self._timer = self.loop.call_later(self.limits.head_s, self._on_timeout)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection has ended."""
        self._stop_timer()
        self._stop_unread_timer()
        self._lingering.connection_lost()
        self.turned_away.discard(self._lingering)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes from the client."""
        if self._lingering.is_closing():
            self._discard(data)
            return
        self._consumed = False
        super().data_received(data)
        if not self._consumed:
            self._discard(data)
        if self._timer is None and self._is_idle():
            # uvicorn stops its own idle timer at the first byte, even if that begins no request.
            self._timer = self.loop.call_later(self.limits.idle_s, self._on_timeout)

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._in_head = self._sending = True
        self._stop_timer()
        self._timer = self.loop.call_later(self.limits.head_s, self._on_timeout)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header. Trailers (after the body) are ignored (RFC 9110, 6.5.1)."""
        if self._in_head:
            super().on_header(name, value)
            if len(self.headers) > MAX_HEADERS:
                self._refuse(_too_many_headers())

    def on_headers_complete(self) -> None:
        """Request line and headers are complete."""
        self._in_head = False
        self._mark_consumed()
        self._stop_timer()
        if sum(len(name) + len(value) for name, value in self.headers) + len(self.url) > MAX_HEAD_BYTES:
            self._refuse(_head_too_long())
        elif len(self.connections) > self.limits.connections and not self.url.startswith(ALWAYS_SERVED):
            self._refuse(_too_many_connections(self.limits.connections))
        elif len(self.pipeline) >= MAX_PIPELINED:
            self.transport.abort()
        if not self.transport.is_closing():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body; dropped if the request was already answered."""
        if not self.transport.is_closing() and not self.cycle.response_complete:
            self._mark_consumed()
            super().on_body(body)

    def on_message_complete(self) -> None:
        """The end of a request."""
        self._sending = False
        self._mark_consumed()
        if not self.transport.is_closing():
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """400 for input that is not HTTP, in the common error format."""
        self._refuse(_not_http())

    def pause_writing(self) -> None:
        """The write buffer is full: the client reads too slowly."""
        super().pause_writing()
        if self._unread_timer is None:
            self._unread_timer = self.loop.call_later(self.limits.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """The write buffer has room again."""
        self._stop_unread_timer()
        super().resume_writing()

    def _is_idle(self) -> bool:
        """Whether no request is waiting for an answer."""
        # None before the first request, although uvicorn's types do not say so.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _is_reading_its_body(self) -> bool:
        """Whether the only request is one whose body is still arriving and that has no answer yet."""
        return not (self._is_idle() or self.pipeline or self.cycle.response_started) and self.cycle.more_body

    def _is_sending(self) -> bool:
        return self._sending

    def _mark_consumed(self) -> None:
        self._consumed, self._discarded_bytes = True, 0

    def _discard(self, data: bytes) -> None:
        self._discarded_bytes += len(data)
        if self._in_head and not self._lingering.is_closing():
            if self._discarded_bytes > MAX_HEAD_BYTES:
                self._refuse(_head_too_long())
        elif self._discarded_bytes > MAX_REFUSED_BYTES:
            if self._is_reading_its_body() and not self._lingering.is_closing():
                self._refuse(_framing_too_long())
            else:
                self.transport.abort()

    def _on_timeout(self) -> None:
        self._timer = None
        if self._sending and self._in_head:
            self._refuse(_head_timeout(self.limits.head_s))
        else:
            self.transport.close()  # no request is waiting for an answer

    def _refuse(self, problem: Problem) -> None:
        """Answers without going through the application, and closes."""
        if self.transport.is_closing():
            return
        if self._is_reading_its_body():
            self.cycle.disconnected = True  # whatever the application replies is dropped
            self.cycle.message_event.set()
        elif not self._is_idle():
            self.transport.abort()  # an answer is being written; a second one inside it would corrupt it
            return
        self.transport.write(_on_the_wire(problem))
        self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_unread_timer(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None


_REASON_PHRASES = {
    400: "Bad Request",
    408: "Request Timeout",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
}


def _on_the_wire(problem: Problem) -> bytes:
    """A whole reply, for connections without a request that the application knows."""
    body = problem.body()
    lines = [f"HTTP/1.1 {problem.status} {_REASON_PHRASES[problem.status]}", "content-type: application/json"]
    lines += [f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.lower()}: {value}" for name, value in problem.headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _not_http() -> Problem:
    return Problem(400, "bad_request", "this is not valid HTTP/1.1; the request was not processed")


def _too_many_connections(limit: int) -> Problem:
    message = f"this replica is at its limit of {limit} connections; try again"
    return Problem(503, "overloaded", message, headers=retry_after(1))


def _head_timeout(head_s: float) -> Problem:
    return Problem(408, "request_timeout", f"the request's headers did not arrive within {head_s:g} s")


def _head_too_long() -> Problem:
    return Problem(431, "headers_too_large", f"request line and headers must have at most {MAX_HEAD_BYTES:,} bytes")


def _framing_too_long() -> Problem:
    message = f"chunk extensions and trailers must have at most {MAX_REFUSED_BYTES:,} bytes without a body in between"
    return Problem(400, "bad_request", message)


def _too_many_headers() -> Problem:
    return Problem(431, "headers_too_large", f"a request must have at most {MAX_HEADERS} headers")


def bounded(limits: ConnectionLimits) -> type[BoundedProtocol]:
    """The protocol class with these limits: uvicorn takes a class, not an instance."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits, "turned_away": TurnedAway(SPARE)})
