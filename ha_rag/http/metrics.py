"""GET /metrics: what this replica has done, for Prometheus; and the layer that counts requests."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.clock import SystemClock
from ha_rag.http.problems import problem_of
from ha_rag.http.service import Service
from ha_rag.telemetry.logs import log_unanswered
from ha_rag.telemetry.metrics import CONTENT_TYPE

Requested = Callable[[str, int, float], None]

ENDPOINTS = frozenset(
    {"/", "/docs", "/openapi.json", "/health", "/health/live", "/health/ready", "/metrics"}
    | {f"/v1/{name}" for name in ("query", "chat/completions", "embeddings", "models", "circuits", "fleet", "events")}
    | {"/v1/documents", "/v1/feedback"}
)
QUESTIONS = frozenset({"/v1/query", "/v1/chat/completions", "/v1/embeddings"})
LEFT = 499
"""The status of a request whose asker was no longer there to take an answer."""
ONE_OF_MANY = {"/v1/circuits/": "/v1/circuits/{name}", "/v1/documents/": "/v1/documents/{document}"}


def metrics_routes(service: Service) -> APIRouter:
    """The endpoint, over `service`."""
    routes = APIRouter(tags=["fleet"])

    @routes.get(
        "/metrics",
        summary="For Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}, "description": "Prometheus's text form."}},
    )
    async def metrics() -> Response:
        """Requests, latencies, outcomes, circuits, freshness and degraded answers of this replica. Memory reads."""
        return Response(service.metrics.text(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    return routes


class Counted:
    """The layer that tells how each request ended. A path that is no endpoint counts as "other".

    A question that got no answer, or not all of it, has a line in the log, as each answer has; but for those that a
    full replica refuses, which are too many just then.
    """

    def __init__(self, app: ASGIApp, requested: Requested) -> None:
        self.app = app
        self.requested = requested

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        status, whole, now_s = LEFT, False, SystemClock().monotonic_s
        began_s = now_s()

        async def noted(message: Message) -> None:
            nonlocal status, whole
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            whole = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self.app(scope, receive, noted)
        except Exception as error:
            # The layer outside of this one makes an answer of it, and writes it into the log with its traceback.
            status, whole = problem_of(error).status if status == LEFT else status, True
            raise
        finally:
            path, took_s = endpoint(scope["path"]), now_s() - began_s
            self.requested(path, status, took_s)
            if path in QUESTIONS and status not in (500, 503) and not (whole and status == 200):
                log_unanswered(path, LEFT if status == 200 else status, took_s)


def endpoint(path: str) -> str:
    """The endpoint of a path: few values, whatever is asked for."""
    if path in ENDPOINTS:
        return path
    return next((name for start, name in ONE_OF_MANY.items() if path.startswith(start)), "other")
