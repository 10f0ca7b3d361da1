"""Transports for httpx. A request is settled when its response begins: by its status, or by the error instead of it."""

from __future__ import annotations

from typing import Any

import httpx

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.transports.hosts import Hosts


class AsyncHttpxTransport(httpx.AsyncBaseTransport):
    """For `httpx.AsyncClient(transport=...)`. Raises CircuitOpenError if the host's circuit refuses the request.

    `inner`: the transport that sends, `httpx.AsyncHTTPTransport()` by default. `settings`: those of `Hosts`.
    """

    def __init__(
        self,
        circuits: CircuitRegistry,
        policy: CircuitPolicy | None = None,
        *,
        inner: httpx.AsyncBaseTransport | None = None,
        **settings: Any,
    ) -> None:
        self._hosts = Hosts(circuits, policy, **settings)
        self._inner = inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request through its host's circuit."""
        breaker = self._hosts.breaker(request.url.host, request.url.port)
        if breaker is None:
            return await self._inner.handle_async_request(request)
        async with breaker as permit:
            response = await self._inner.handle_async_request(request)
            permit.returned(response)
            return response

    async def aclose(self) -> None:
        """Closes the inner transport."""
        await self._inner.aclose()


class HttpxTransport(httpx.BaseTransport):
    """For `httpx.Client(transport=...)`. Like AsyncHttpxTransport, with `httpx.HTTPTransport()` as its default."""

    def __init__(
        self,
        circuits: CircuitRegistry,
        policy: CircuitPolicy | None = None,
        *,
        inner: httpx.BaseTransport | None = None,
        **settings: Any,
    ) -> None:
        self._hosts = Hosts(circuits, policy, **settings)
        self._inner = inner or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request through its host's circuit."""
        breaker = self._hosts.breaker(request.url.host, request.url.port)
        if breaker is None:
            return self._inner.handle_request(request)
        with breaker as permit:
            response = self._inner.handle_request(request)
            permit.returned(response)
            return response

    def close(self) -> None:
        """Closes the inner transport."""
        self._inner.close()
