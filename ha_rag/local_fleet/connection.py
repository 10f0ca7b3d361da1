"""Connections to the front, with the same limits as connections to a replica (`ha_rag.http.connection`).

By itself aiohttp waits without limit for a client that does not read its answer, accepts any number of connections,
and repeats malformed input in its error message.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.typedefs import Handler

from ha_rag.http.connection import (
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    MAX_PIPELINED,
    MAX_REFUSED_BYTES,
    SPARE,
    ConnectionLimits,
)
from ha_rag.http.lingering_close import LINGER_S, LingeringClose
from ha_rag.http.problems import Problem
from ha_rag.http.turned_away import TurnedAway
from ha_rag.local_fleet.refusals import crowded, long_framing, long_head, on_the_wire, reply, slow_head, unreadable

OPTIONS: dict[str, Any] = {
    "access_log": None,
    "auto_decompress": False,
    "lingering_time": LINGER_S,
    "max_field_size": MAX_HEAD_BYTES,
    "max_headers": MAX_HEADERS,
    "max_line_size": MAX_HEAD_BYTES,
}


class Entrance:
    """Creates the connections of one server. Used on one event loop."""

    def __init__(self, server: web.Server, limits: ConnectionLimits) -> None:
        self.server = server
        self.limits = limits
        self.turned_away = TurnedAway(SPARE)

    def __call__(self) -> Connection:
        return Connection(self)

    @property
    def is_full(self) -> bool:
        """Whether the connection limit is reached."""
        return len(self.server.connections) >= self.limits.connections


class Connection(web.RequestHandler):
    """One connection of a client."""

    def __init__(self, entrance: Entrance) -> None:
        loop, limits = asyncio.get_running_loop(), entrance.limits
        super().__init__(entrance.server, loop=loop, keepalive_timeout=limits.idle_s, **OPTIONS)
        self._entrance = entrance
        self._limits = limits
        self._head: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._framing_bytes = 0
        self._body: StreamReader = EMPTY_PAYLOAD
        self._cut_short = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._end = LingeringClose(cast("asyncio.Transport", transport), self._limits.unread_s, self._is_sending)
        if self._entrance.is_full:
            self._turn_away()
            return
        super().connection_made(cast("asyncio.Transport", self._end))
        self.keep_alive(True)  # cancels aiohttp's idle timer, which would also run while the first request arrives
        self._head = self._loop.call_later(self._limits.head_s, self._too_slow)

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client has disconnected."""
        self._stop_waiting_for_head()
        self._stop_waiting_for_reader()
        self._entrance.turned_away.discard(self._end)
        self._end.connection_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes of a request have arrived."""
        if self._end.is_closing():
            return
        requests, in_head, received = self._request_count, self._body.is_eof(), self._body.total_bytes
        super().data_received(data)
        if self._request_count > requests:
            self._begin_next()
        elif in_head:
            self._head_bytes += len(data)
        elif self._body.total_bytes == received:
            self._framing_bytes += len(data)
        else:
            self._framing_bytes = 0
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse(long_head())
        elif self._framing_bytes > MAX_REFUSED_BYTES:
            self._give_up_body(long_framing())
        elif len(self._messages) > MAX_PIPELINED + (not self._request_in_progress):
            self._end.abort()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write."""
        super().pause_writing()
        self._unread = self._loop.call_later(self._limits.unread_s, self._end.abort)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._stop_waiting_for_reader()
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Malformed requests and internal errors get a reply in the form of every other error; aiohttp logs them."""
        if isinstance(exc, ConnectionResetError):
            raise exc  # the client disconnected: there is nobody to reply to, and nothing to log
        super().handle_error(request, status, exc, message)
        self._cut_short = True
        response = reply(unreadable(exc))
        response.force_close()
        return response

    def _begin_next(self) -> None:
        if not self._body.is_eof():
            # What follows is an error in this body, and aiohttp does not report it to the reader.
            self._give_up_body(unreadable(getattr(self._messages[-1][0], "exc", None)))
        self._stop_waiting_for_head()
        self._head_bytes = self._framing_bytes = 0
        self._body = self._messages[-1][1]

    def _give_up_body(self, problem: Problem) -> None:
        """Ends the body with `problem`, which its reader gets."""
        if self._body.exception() is None:
            self._body.set_exception(problem)
            self._body.feed_eof()
            self._cut_short = True

    def _is_sending(self) -> bool:
        return self._cut_short or self._head_bytes > 0 or not self._body.is_eof()

    def _turn_away(self) -> None:
        self._cut_short = True
        self.force_close()
        self._entrance.turned_away.add(self._end, on_the_wire(crowded(self._limits.connections)))

    def _too_slow(self) -> None:
        if self._head_bytes:
            self._refuse(slow_head(self._limits.head_s))
        else:
            self.force_close()

    def _refuse(self, problem: Problem) -> None:
        """Replies before there is a request, and closes the connection."""
        if self._request_in_progress or self._messages:
            self._end.abort()  # a reply is being sent, and a second one would be read as part of it
            return
        self._end.write(on_the_wire(problem))
        self.force_close()

    def _stop_waiting_for_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _stop_waiting_for_reader(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


@web.middleware
async def with_short_head(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Limits the size of line and headers together; aiohttp only limits each of them."""
    if len(request.raw_path) + sum(len(name) + len(value) for name, value in request.raw_headers) > MAX_HEAD_BYTES:
        raise long_head()
    return await handler(request)
