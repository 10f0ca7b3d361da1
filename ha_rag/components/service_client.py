"""ServiceClient: calls one OpenAI-compatible service and translates every failure into a ComponentError.

It uses aiohttp, which had sixteen times the throughput of httpx when this project measured both. None of aiohttp's
exceptions escape; only ComponentErrors and CancelledError do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import aiohttp
from yarl import URL

from ha_rag.clock import Clock, SystemClock
from ha_rag.components.carried import carried
from ha_rag.components.error_response import error_for, quoted
from ha_rag.components.event_stream import ServerEvent
from ha_rag.components.reply_events import ReplyEvents
from ha_rag.components.service_config import ServiceConfig
from ha_rag.components.service_connections import ServiceConnections
from ha_rag.errors import ComponentError, MalformedReplyError, ServiceError, ServiceTimeoutError

ERROR_BODY_BYTES = 16 * 1024
ERROR_BODY_S = 1.0
"""How long the body of an error response may take: its status and headers say most."""
# aiohttp raises ValueError for invalid chunks and RuntimeError for a session that is closed during a call.
FOREIGN_ERRORS = (aiohttp.ClientError, OSError, ValueError, RuntimeError, asyncio.IncompleteReadError)


class ServiceClient:
    """A client of the service in `config`. Safe across tasks; may be used in several event loops, one after another.

    It contacts no other host: redirects are not followed, and proxies are used only if `config` says so. Connections
    are opened at the first call and kept alive; `aclose()` closes them. Methods raise ComponentError.
    """

    def __init__(self, config: ServiceConfig, clock: Clock | None = None) -> None:
        self.config = config
        self._clock = clock or SystemClock()
        self._connections = ServiceConnections(config)
        self._whole = aiohttp.ClientTimeout(total=config.timeout_s)
        self._silence = aiohttp.ClientTimeout(sock_connect=config.timeout_s, sock_read=config.timeout_s)

    async def post(self, url: URL, body: bytes) -> bytes:
        """Posts the JSON in `body` and returns the body of the response. `url`: from `config.url(path)`."""
        try:
            async with await self._sent(url, body, self._whole) as response:
                await self._raise_for_status(response)
                return await self._read(response)
        except FOREIGN_ERRORS as error:
            raise self._translated(error) from None

    async def events(self, url: URL, body: bytes) -> AsyncGenerator[ServerEvent, None]:
        """Posts the JSON in `body` and yields each server-sent event as it arrives; a JSON reply is one event."""
        try:
            async with await self._sent(url, body, self._silence) as response:
                await self._raise_for_status(response)
                label = response.content_type
                shown = quoted(label, self.config.redactor, 80)
                reader = ReplyEvents(label, self.config.max_reply_bytes, shown)
                async for piece in response.content.iter_any():
                    for event in reader.feed(piece):
                        yield event
                for event in reader.end():
                    yield event
        except aiohttp.ClientPayloadError:
            raise MalformedReplyError("the stream was cut off") from None
        except FOREIGN_ERRORS as error:
            raise self._translated(error) from None

    async def aclose(self) -> None:
        """Closes the connections. A later call opens new ones."""
        await self._connections.aclose()

    def now_ms(self) -> int:
        """The wall clock, for dates in replies."""
        return self._clock.unix_ms()

    async def _sent(self, url: URL, body: bytes, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        return await self._connections.post(url, body, carried() or None, timeout)

    async def _raise_for_status(self, response: aiohttp.ClientResponse) -> None:
        if 200 <= response.status < 300:
            return
        body = await _start_of(response)
        raise error_for(response.status, response.headers, body, now_ms=self.now_ms(), redactor=self.config.redactor)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, if it is not too long. The length of a compressed body is checked after decompression."""
        limit, declared = self.config.max_reply_bytes, response.content_length
        if declared is not None and declared <= limit and "Content-Encoding" not in response.headers:
            return await response.read()
        body, complete = (b"", False) if (declared or 0) > limit else await _at_most(response, limit)
        if not complete:
            raise MalformedReplyError(f"the response is longer than {limit} bytes (max_reply_bytes)")
        return body

    def _translated(self, error: BaseException) -> ComponentError:
        if isinstance(error, TimeoutError):
            return ServiceTimeoutError(f"no answer within {self.config.timeout_s:g} s")
        if isinstance(error, aiohttp.ClientPayloadError):
            return ServiceError("the response was cut off, or its encoding is wrong")
        if isinstance(error, aiohttp.ClientConnectorError):
            return ServiceError(f"cannot connect to {error.host}:{error.port} ({error.strerror or error.os_error})")
        # Only the class name: some of aiohttp's messages contain the request's headers, and with them the key.
        return ServiceError(f"the connection failed ({type(error).__name__})")


async def _start_of(response: aiohttp.ClientResponse) -> bytes:
    """The start of an error response's body; what has arrived of it, if the rest does not."""
    pieces: list[bytes] = []
    with suppress(aiohttp.ClientPayloadError, TimeoutError):
        async with asyncio.timeout(ERROR_BODY_S):
            async for piece in response.content.iter_any():
                pieces.append(piece)
                if sum(map(len, pieces)) >= ERROR_BODY_BYTES:
                    break
    return b"".join(pieces)[:ERROR_BODY_BYTES]


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of the body or a few more, and whether that is the complete body."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return b"".join(pieces), False
    return b"".join(pieces), True
