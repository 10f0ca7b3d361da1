"""So many requests at work and no more: a replica that is full says so at once, while it can still say anything."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ha_rag.http.problems import Problem, retry_after

COUNTED = ("/v1/query", "/v1/chat/completions", "/v1/embeddings", "/v1/documents")
"""What costs something. Health, circuits and the pages stay within reach of whoever has to find out what is wrong."""


class Capacity:
    """Answers 503 with Retry-After beyond `max_concurrent` requests. `at_work`: how many there are now."""

    def __init__(self, app: ASGIApp, max_concurrent: int) -> None:
        self.app = app
        self.max_concurrent = max_concurrent
        self.at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(COUNTED):
            await self.app(scope, receive, send)
            return
        if self.at_work >= self.max_concurrent:
            await self._full().response()(scope, receive, send)
            return
        self.at_work += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.at_work -= 1

    def _full(self) -> Problem:
        message = f"this replica is at work on {self.max_concurrent} requests, which is as many as it takes; ask again"
        return Problem(503, "overloaded", message, headers=retry_after(1))
