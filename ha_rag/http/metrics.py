"""GET /metrics for Prometheus, and the middleware that counts requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.clock import SystemClock
from ha_rag.http.endpoint_labels import EndpointLabels
from ha_rag.http.problems import problem_of
from ha_rag.http.service import Service
from ha_rag.telemetry.logs import log_failed_question
from ha_rag.telemetry.metrics import CONTENT_TYPE

Requested = Callable[[str, int, float], None]

QUESTIONS = frozenset({"/v1/query", "/v1/chat/completions", "/v1/embeddings"})
CLIENT_CLOSED_REQUEST = 499
"""The status counted for a request whose client closed the connection before the answer (nginx's number)."""


def metrics_routes(service: Service) -> APIRouter:
    """The endpoint."""
    routes = APIRouter(tags=["fleet"])

    @routes.get(
        "/metrics",
        summary="Prometheus metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus text format."}},
    )
    async def metrics() -> Response:
        """Requests, latencies, outcomes, circuits, freshness and degraded answers of this replica, from memory."""
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return routes


class RequestCounter:
    """Middleware that counts requests by endpoint and status, and measures their duration.

    A question without a complete answer is logged, as every answer is; except refusals at capacity, which would flood
    the log under overload.
    """

    def __init__(self, app: ASGIApp, requested: Requested, labels: EndpointLabels) -> None:
        self.app = app
        self.requested = requested
        self.labels = labels

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, complete, now_s = CLIENT_CLOSED_REQUEST, False, SystemClock().monotonic_s
        started_s = now_s()

        async def counted(message: Message) -> None:
            nonlocal status, complete
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self.app(scope, receive, counted)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                raise
            # `RequestId` replies to it, and logs its traceback.
            status, complete = problem_of(error).status if status == CLIENT_CLOSED_REQUEST else status, True
            raise
        finally:
            path, duration_s = self.labels.of(scope["path"]), now_s() - started_s
            self.requested(path, status, duration_s)
            if path in QUESTIONS and status not in (500, 503) and not (complete and status == 200):
                log_failed_question(path, CLIENT_CLOSED_REQUEST if status == 200 else status, duration_s)
