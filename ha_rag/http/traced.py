"""The layer that makes a span of each request that is somebody's errand."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.components.carried import carried
from ha_rag.http.metrics import endpoint
from ha_rag.http.service import RequestTraces

LOOKED_AT = frozenset({"/v1/events", "/v1/fleet", "/v1/circuits"})
"""What dashboards ask for all the time, or for ever: their spans would bury the others."""


class Traced:
    """Tells `traces` of requests to /v1/*, and of nothing that monitors and dashboards ask for."""

    def __init__(self, app: ASGIApp, traces: RequestTraces) -> None:
        self.app = app
        self.traces = traces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = endpoint(scope["path"]) if scope["type"] == "http" else ""
        if not route.startswith("/v1/") or route in LOOKED_AT:
            await self.app(scope, receive, send)
            return
        with self.traces.request(scope["method"], route, carried()) as seen:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    seen.replied(message["status"])
                await send(message)

            await self.app(scope, receive, noted)
