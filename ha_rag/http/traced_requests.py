"""Middleware that creates a trace span for each request to /v1/*, except polling."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.components.carried import carried
from ha_rag.http.endpoint_labels import EndpointLabels
from ha_rag.http.service import RequestTraces

POLLED = frozenset({"/v1/events", "/v1/fleet", "/v1/circuits", "/v1/orders"})
"""Endpoints that dashboards poll or keep open: their spans would drown out all others."""


class TracedRequests:
    """Creates spans with `traces`. `labels` gives the route of each span."""

    def __init__(self, app: ASGIApp, traces: RequestTraces, labels: EndpointLabels) -> None:
        self.app = app
        self.traces = traces
        self.labels = labels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self.labels.of(scope["path"]) if scope["type"] == "http" else ""
        if not route.startswith("/v1/") or route in POLLED:
            await self.app(scope, receive, send)
            return
        with self.traces.request(scope["method"], route, carried()) as span:

            async def traced(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.replied(message["status"])
                await send(message)

            await self.app(scope, receive, traced)
