"""X-Request-Id: taken from the client where it is harmless, made here where it is not, and always given back.

It travels on, beside the caller's trace, to every service that is asked and into every line of the log.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.components.carried import REQUEST_ID, carrying
from ha_rag.http.problems import Problem, problem_of, retry_after
from ha_rag.http.trace_context import trace_headers

_HARMLESS = re.compile(rb"[A-Za-z0-9._-]{1,128}")
log = logging.getLogger("ha_rag.http")


class RequestId:
    """The outermost layer: names each request, and turns what nobody foresaw into a 500 with that name in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = _taken_or_made(scope)
        with carrying({REQUEST_ID: name.decode(), **trace_headers(scope["headers"])}):
            await self._named(name, scope, receive, send)

    async def _named(self, name: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def named(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name)]
            await send(message)

        try:
            await self.app(scope, receive, named)
        except asyncio.CancelledError:
            if started:
                raise
            await _cut_short().response()(scope, receive, named)
        except Exception as error:
            log.exception("request %s failed: %s %s", name.decode(), scope["method"], scope["path"])
            if started:  # half an answer is out: cutting the connection is the only honest end
                raise
            await problem_of(error).response()(scope, receive, named)


def _taken_or_made(scope: Scope) -> bytes:
    for key, value in scope["headers"]:
        if key == b"x-request-id" and _HARMLESS.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(8).encode()


def _cut_short() -> Problem:
    """Only a server whose time to stop is up cancels a request: somebody else can answer it."""
    message = "this replica had to stop before it could answer; ask again"
    return Problem(503, "draining", message, headers={**retry_after(1), "Connection": "close"})
