"""So many requests at work and no more: a replica that is full says so at once, while it can still say anything."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.http.problems import Problem, retry_after

COUNTED = ("/v1/query", "/v1/chat/completions", "/v1/embeddings", "/v1/documents")
"""What costs something. Health, circuits and the pages stay within reach of whoever has to find out what is wrong."""


class Capacity:
    """Answers 503 with Retry-After beyond `max_concurrent` requests. `at_work`: how many there are now; `arriving`: how
    many more have a body that is still on its way.

    A request is at work once its body is here: one that comes letter by letter takes nobody's place. Where the replica
    is full already, it is refused before its body is read.
    """

    def __init__(self, app: ASGIApp, max_concurrent: int) -> None:
        self.app = app
        self.max_concurrent = max_concurrent
        self.at_work = 0
        self.arriving = 0
        # Made once: while a replica is full, what it costs to say so is what it has least of.
        self._refusal = self._full().response()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(COUNTED):
            await self.app(scope, receive, send)
            return
        if self.at_work >= self.max_concurrent:
            await self._refusal(scope, receive, send)
            return
        at_work = False
        self.arriving += 1

        async def taken_on() -> Message:
            nonlocal at_work
            message = await receive()
            if not at_work and not message.get("more_body", False):
                if self.at_work >= self.max_concurrent:
                    raise self._full()
                at_work = True
                self.at_work += 1
                self.arriving -= 1
            return message

        try:
            await self.app(scope, taken_on, send)
        finally:
            self.at_work -= at_work
            self.arriving -= not at_work

    def _full(self) -> Problem:
        message = f"this replica is at work on {self.max_concurrent} requests, which is its limit; try again"
        return Problem(503, "overloaded", message, headers=retry_after(1))
