"""Admission control: at most `max_concurrent` requests in flight; the rest are refused at once."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.http.problems import Problem, retry_after

LIMITED_PATHS = ("/v1/query", "/v1/chat/completions", "/v1/embeddings", "/v1/documents")
"""The expensive endpoints. Health, circuits and the pages stay available on a replica that is at capacity."""


class Capacity:
    """Middleware: 503 with Retry-After beyond `max_concurrent` requests.

    `in_flight`: admitted requests; `receiving`: requests whose body has not arrived yet. A request is admitted once its
    body is complete, so slow uploads take no slot. At capacity a request is refused before its body is read.
    """

    def __init__(self, app: ASGIApp, max_concurrent: int) -> None:
        self.app = app
        self.max_concurrent = max_concurrent
        self.in_flight = 0
        self.receiving = 0
        # Built once, to keep refusals cheap under overload.
        self._refusal = self._at_capacity().response()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(LIMITED_PATHS):
            await self.app(scope, receive, send)
            return
        if self.in_flight >= self.max_concurrent:
            await self._refusal(scope, receive, send)
            return
        admitted = False
        self.receiving += 1

        async def admitting() -> Message:
            nonlocal admitted
            message = await receive()
            if not admitted and message["type"] == "http.request" and not message.get("more_body", False):
                if self.in_flight >= self.max_concurrent:
                    raise self._at_capacity()
                admitted = True
                self.in_flight += 1
                self.receiving -= 1
            return message

        try:
            await self.app(scope, admitting, send)
        finally:
            self.in_flight -= admitted
            self.receiving -= not admitted

    def _at_capacity(self) -> Problem:
        message = f"this replica is at its limit of {self.max_concurrent} concurrent requests; try again"
        return Problem(503, "overloaded", message, headers=retry_after(1))
