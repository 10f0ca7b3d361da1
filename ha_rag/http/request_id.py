"""X-Request-Id: the client's, if it is safe to log, or a generated one; always returned.

It is passed on, with the caller's trace context, to every service that is called, and appears in every log line.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.components.carried import REQUEST_ID, carrying
from ha_rag.errors import is_exit
from ha_rag.http.problems import Problem, problem_of, retry_after
from ha_rag.http.trace_context import trace_headers

_SAFE_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")
log = logging.getLogger("ha_rag.http")


class RequestId:
    """Outermost middleware: assigns request ids, and turns unexpected errors into a 500, logged under the id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = _request_id(scope)
        with carrying({REQUEST_ID: request_id.decode(), **trace_headers(scope["headers"])}):
            await self._call(request_id, scope, receive, send)

    async def _call(self, request_id: bytes, scope: Scope, receive: Receive, send: Send) -> None:
        started = complete = False

        async def with_id(message: Message) -> None:
            nonlocal started, complete
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)
            complete = message["type"] == "http.response.body" and not message.get("more_body", False)

        try:
            await self.app(scope, receive, with_id)
        except asyncio.CancelledError:
            if started:
                raise
            await _shutting_down().response()(scope, receive, with_id)
        except BaseException as error:
            if is_exit(error):
                raise
            log.exception("request %s failed: %s %s", request_id.decode(), scope["method"], scope["path"])
            if not started:
                await problem_of(error).response()(scope, receive, with_id)
            elif not complete:  # the only way to signal the error in the middle of an answer is to close the connection
                raise


def _request_id(scope: Scope) -> bytes:
    for key, value in scope["headers"]:
        if key == b"x-request-id" and _SAFE_ID.fullmatch(value):
            return bytes(value)
    return secrets.token_hex(8).encode()


def _shutting_down() -> Problem:
    """Requests are cancelled only by a server whose shutdown time is over; another replica can answer."""
    message = "this replica shut down before it could answer; try again"
    return Problem(503, "draining", message, headers={**retry_after(1), "Connection": "close"})
