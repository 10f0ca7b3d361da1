"""ServiceClient: calls one OpenAI-compatible service and translates every failure into a ComponentError.

It uses aiohttp, which had sixteen times the throughput of httpx when this project measured both. None of aiohttp's
exceptions escape; only ComponentErrors and CancelledError do.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import aiohttp
from yarl import URL

from ha_rag.clock import Clock, SystemClock
from ha_rag.components.carried import carried
from ha_rag.components.error_response import error_for, quoted
from ha_rag.components.event_stream import EventStreamReader
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ComponentError, MalformedReplyError, ServiceError, ServiceTimeoutError

IDLE_CONNECTION_S = 4.0
"""Less than the 5 s after which uvicorn and Node.js close an idle connection, so that closed ones are rarely reused."""

ERROR_BODY_BYTES = 16 * 1024
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
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
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

    async def events(self, url: URL, body: bytes) -> AsyncGenerator[bytes, None]:
        """Posts the JSON in `body` and yields the data of each server-sent event as it arrives."""
        reader = EventStreamReader(self.config.max_reply_bytes)
        try:
            async with await self._sent(url, body, self._silence) as response:
                await self._raise_for_status(response)
                _refuse_unless_events(response, self.config.api_key)
                async for piece in response.content.iter_any():
                    for event in reader.feed(piece):
                        yield event
        except aiohttp.ClientPayloadError:
            raise MalformedReplyError("the stream was cut off") from None
        except FOREIGN_ERRORS as error:
            raise self._translated(error) from None

    async def aclose(self) -> None:
        """Closes the connections. A later call opens new ones."""
        session, self._session, self._loop = self._session, None, None
        if session is not None:
            await session.close()

    async def _sent(self, url: URL, body: bytes, timeout: aiohttp.ClientTimeout) -> aiohttp.ClientResponse:
        session = self._session
        if session is None or self._loop is not asyncio.get_running_loop():
            session = await self._session_of_this_loop()
        return await session.post(url, data=body, headers=carried() or None, allow_redirects=False, timeout=timeout)

    async def _session_of_this_loop(self) -> aiohttp.ClientSession:
        left_behind = self._session
        self._session = session = self._open()
        self._loop = asyncio.get_running_loop()
        if left_behind is not None:
            await left_behind.close()
        return session

    def _open(self) -> aiohttp.ClientSession:
        config = self.config
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **config.headers}
        if config.api_key:
            headers["Authorization"] = f"Bearer {config.api_key}"
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=config.max_connections, keepalive_timeout=IDLE_CONNECTION_S),
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=config.trust_env,
        )

    async def _raise_for_status(self, response: aiohttp.ClientResponse) -> None:
        if 200 <= response.status < 300:
            return
        body, _ = await _at_most(response, ERROR_BODY_BYTES)
        now_ms, secret = self._clock.unix_ms(), self.config.api_key
        raise error_for(response.status, response.headers, body, now_ms=now_ms, secret=secret)

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
        if isinstance(error, aiohttp.ClientConnectorError):
            return ServiceError(f"cannot connect to {error.host}:{error.port} ({error.strerror or error.os_error})")
        # Only the class name: some of aiohttp's messages contain the request's headers, and with them the key.
        return ServiceError(f"the connection failed ({type(error).__name__})")


async def _at_most(response: aiohttp.ClientResponse, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of the body or a few more, and whether that is the complete body."""
    pieces, size = [], 0
    async for piece in response.content.iter_any():
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            return b"".join(pieces), False
    return b"".join(pieces), True


def _refuse_unless_events(response: aiohttp.ClientResponse, secret: str | None) -> None:
    if response.content_type != "text/event-stream":
        kind = quoted(response.content_type, secret, 80)
        raise MalformedReplyError(f"the response is {kind}, not an event stream")
