"""Limits on request bodies: size, whether declared or chunked, and time to arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.http.problems import Problem, retry_after

MAX_BODY_BYTES = 10_000_000
"""Limit on a document, the largest of all bodies."""

CHAT_BODY_BYTES = 1_000_000
"""Limit on a conversation: clients send all of its earlier messages again."""

QUESTION_BODY_BYTES = 100_000
"""Limit on any other body. A question of 8,000 characters takes up to 96 kB, each as two escapes of 6 bytes."""

MAX_PARTIAL_BYTES = 256_000_000
"""Limit on all partly received bodies together, so that many slow uploads cannot exhaust memory."""


def max_body_bytes(path: str) -> int:
    """How large the body of a request to `path` may be, in bytes. `path` is decoded."""
    return _MAX_BYTES.get(path, QUESTION_BODY_BYTES)


_MAX_BYTES = {"/v1/documents": MAX_BODY_BYTES, "/v1/chat/completions": CHAT_BODY_BYTES}


class BodyLimit:
    """Middleware: 413 for bodies that are too large for their path, 408 for those that take longer than `timeout_s`."""

    def __init__(self, app: ASGIApp, max_bytes: Callable[[str], int] = max_body_bytes, timeout_s: float = 30.0) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout_s = timeout_s
        self.partial_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        most = self.max_bytes(scope["path"])
        if _declared_length(scope) > most:
            await too_large(most).response()(scope, receive, send)
            return
        body = _PartialBody(self)
        try:
            await self.app(scope, self._counted(receive, body, most), send)
        finally:
            body.finished()

    def _counted(self, receive: Receive, body: _PartialBody, most: int) -> Receive:
        whole = False
        deadline = asyncio.get_running_loop().time() + self.timeout_s

        async def counted() -> Message:
            nonlocal whole
            if whole:  # only http.disconnect follows, and it may take as long as the answer does
                return await receive()
            message = await self._in_time(receive, deadline)
            whole = not message.get("more_body", False)
            if body.add(len(message.get("body", b""))) > most:
                raise too_large(most)
            if whole:
                body.finished()
            elif self.partial_bytes > MAX_PARTIAL_BYTES:
                raise _too_many_bodies()
            return message

        return counted

    async def _in_time(self, receive: Receive, deadline: float) -> Message:
        try:
            async with asyncio.timeout_at(deadline):
                return await receive()
        except TimeoutError:
            raise Problem(
                408,
                "request_timeout",
                f"the body did not arrive within {self.timeout_s:g} s",
                headers={"Connection": "close"},
            ) from None


class _PartialBody:
    """One body that is not complete; counted in the total of its BodyLimit until it is, or has failed."""

    def __init__(self, limit: BodyLimit) -> None:
        self._limit = limit
        self._size = 0

    def add(self, size: int) -> int:
        """Adds `size` bytes; returns the bytes received so far."""
        self._size += size
        self._limit.partial_bytes += size
        return self._size

    def finished(self) -> None:
        """Removes it from the total. Idempotent."""
        self._limit.partial_bytes -= self._size
        self._size = 0


def too_large(most_bytes: int) -> Problem:
    """413."""
    message = f"the body of this request must have at most {most_bytes:,} bytes"
    return Problem(413, "too_large", message, headers={"Connection": "close"})


def _too_many_bodies() -> Problem:
    message = "this replica is receiving too many large bodies; try again"
    return Problem(503, "overloaded", message, headers={**retry_after(1), "Connection": "close"})


def _declared_length(scope: Scope) -> int:
    for key, value in scope["headers"]:
        if key == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0
