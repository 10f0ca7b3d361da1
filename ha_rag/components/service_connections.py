"""ServiceConnections: the HTTP connections to one service, kept alive between calls."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
from yarl import URL

from ha_rag.components.service_config import ServiceConfig

IDLE_CONNECTION_S = 4.0
"""Less than the 5 s after which uvicorn and Node.js close an idle connection, so that closed ones are rarely reused."""

JUST_SENT_S = 1.0
"""A kept connection that closes this soon after a request was sent was most likely closed before it arrived."""

LONGEST_HEADER = 64 * 1024
"""The longest header line of a response, in bytes. Gateways add several kB; the default of aiohttp is 8 kB."""


class ServiceConnections:
    """Posts requests. Safe across tasks; may be used in several event loops, one after another.

    A server may close an idle connection just as the next request is sent on it (RFC 9112, 9.3.1). If nothing was
    answered, such a request is sent again once, on a new connection. Raises what aiohttp raises.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._loop: asyncio.AbstractEventLoop | None = None
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def post(
        self, url: URL, body: bytes, headers: Mapping[str, str] | None, timeout: aiohttp.ClientTimeout
    ) -> aiohttp.ClientResponse:
        """The response to a POST, once its headers have arrived. Redirects are not followed."""
        loop = asyncio.get_running_loop()
        kept, fresh = self._kept, self._fresh
        if kept is None or fresh is None or self._loop is not loop:
            kept, fresh = await self._sessions_of_this_loop()
        use = _Use()
        before = _USE.set(use)
        try:
            return await kept.post(url, data=body, headers=headers, allow_redirects=False, timeout=timeout)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            if not (use.reused and loop.time() - use.began_s < JUST_SENT_S and _nothing_was_answered(error)):
                raise
        finally:
            _USE.reset(before)
        return await fresh.post(url, data=body, headers=headers, allow_redirects=False, timeout=timeout)

    async def aclose(self) -> None:
        """Closes the connections. A later call opens new ones."""
        left_behind, self._kept, self._fresh, self._loop = (self._kept, self._fresh), None, None, None
        for session in left_behind:
            if session is not None:
                await session.close()

    async def _sessions_of_this_loop(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        left_behind = (self._kept, self._fresh)
        limit, loop = self._config.max_connections, asyncio.get_running_loop()
        kept = self._open(_NotingConnector(limit=limit, keepalive_timeout=IDLE_CONNECTION_S))
        fresh = self._open(aiohttp.TCPConnector(limit=limit, force_close=True))
        self._kept, self._fresh, self._loop = kept, fresh, loop
        for session in left_behind:
            if session is not None:
                await session.close()
        return kept, fresh

    def _open(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        config = self._config
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity", **config.headers}
        if config.api_key:
            headers |= {config.api_key_header: config.api_key_value}
        return aiohttp.ClientSession(
            connector=connector,
            headers=headers,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=config.trust_env,
            max_line_size=LONGEST_HEADER,
            max_field_size=LONGEST_HEADER,
        )


class _Use:
    """How one request came to its connection. `reused`: it is a kept one, since `began_s`, on the loop's clock."""

    __slots__ = ("began_s", "made", "reused")

    def __init__(self) -> None:
        self.made = False
        self.reused = False
        self.began_s = 0.0


_USE: ContextVar[_Use] = ContextVar("use")


class _NotingConnector(aiohttp.TCPConnector):
    """Notes in `_USE` which connection a request gets. aiohttp's tracing would cost more."""

    async def connect(self, *given: Any, **named: Any) -> Any:
        connection = await super().connect(*given, **named)
        use = _USE.get()
        use.reused = not use.made
        use.began_s = asyncio.get_running_loop().time()
        return connection

    async def _create_connection(self, *given: Any, **named: Any) -> Any:
        _USE.get().made = True
        return await super()._create_connection(*given, **named)


def _nothing_was_answered(error: aiohttp.ClientError) -> bool:
    """Whether the connection closed before any byte of a response; else aiohttp attaches what had arrived."""
    return not isinstance(error, aiohttp.ServerDisconnectedError) or isinstance(error.message, str)
