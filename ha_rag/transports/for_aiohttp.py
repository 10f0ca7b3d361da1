"""A client middleware for aiohttp (3.12 or later). A request is settled when its response begins."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientHandlerType, ClientRequest, ClientResponse

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.transports.hosts import Hosts


class AiohttpGuard:
    """For `aiohttp.ClientSession(middlewares=[...])`. Raises CircuitOpenError if the host's circuit refuses a request.

    `settings`: those of `Hosts`. Set `timeout_s` to the session's total timeout: aiohttp ends a request at its timeout
    by cancelling it, and a cancelled request counts as a timeout only if it took more than half of `timeout_s`.
    """

    def __init__(self, circuits: CircuitRegistry, policy: CircuitPolicy | None = None, **settings: Any) -> None:
        self._hosts = Hosts(circuits, policy, **settings)

    async def __call__(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        """Sends a request through its host's circuit."""
        url = request.url
        breaker = self._hosts.breaker(url.host or "", None if url.is_default_port() else url.port)
        if breaker is None:
            return await handler(request)
        async with breaker as permit:
            response = await handler(request)
            permit.returned(response)
            return response
