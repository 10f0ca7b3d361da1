"""A body has a largest size, whether its length is announced or it comes in chunks, and a longest time to arrive."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.http.problems import Problem, retry_after

MAX_BODY_BYTES = 10_000_000

MAX_ARRIVING_BYTES = 256_000_000
"""Of all bodies together that have begun to arrive and are not whole: many slow uploads must not fill the memory."""


class BodyLimit:
    """Refuses bodies over `max_bytes` with 413, and those that take longer than `timeout_s` to arrive with 408."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, timeout_s: float = 30.0) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout_s = timeout_s
        self.arriving_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        if _announced(scope) > self.max_bytes:
            await self._too_large().response()(scope, receive, send)
            return
        arriving = _Arriving(self)
        try:
            await self.app(scope, self._counted(receive, arriving), send)
        finally:
            arriving.ended()

    def _counted(self, receive: Receive, arriving: _Arriving) -> Receive:
        whole = False
        ends_at = asyncio.get_running_loop().time() + self.timeout_s

        async def counted() -> Message:
            nonlocal whole
            if whole:  # what comes now is news of the connection, which may take as long as the answer does
                return await receive()
            message = await self._in_time(receive, ends_at)
            whole = not message.get("more_body", False)
            if arriving.more(len(message.get("body", b""))) > self.max_bytes:
                raise self._too_large()
            if whole:
                arriving.ended()
            elif self.arriving_bytes > MAX_ARRIVING_BYTES:
                raise _too_many()
            return message

        return counted

    async def _in_time(self, receive: Receive, ends_at: float) -> Message:
        try:
            async with asyncio.timeout_at(ends_at):
                return await receive()
        except TimeoutError:
            raise Problem(
                408,
                "request_timeout",
                f"the body did not arrive within {self.timeout_s:g} s",
                headers={"Connection": "close"},
            ) from None

    def _too_large(self) -> Problem:
        return Problem(
            413, "too_large", f"the body must have at most {self.max_bytes:,} bytes", headers={"Connection": "close"}
        )


class _Arriving:
    """One body on its way, counted among all of them until it is here, or has failed."""

    def __init__(self, limit: BodyLimit) -> None:
        self._limit = limit
        self._size = 0

    def more(self, size: int) -> int:
        """So many bytes more; how many it is so far."""
        self._size += size
        self._limit.arriving_bytes += size
        return self._size

    def ended(self) -> None:
        """It is no longer on its way. May be said twice."""
        self._limit.arriving_bytes -= self._size
        self._size = 0


def _too_many() -> Problem:
    message = "too many large bodies arrive at this replica at a time; ask again"
    return Problem(503, "overloaded", message, headers={**retry_after(1), "Connection": "close"})


def _announced(scope: Scope) -> int:
    for key, value in scope["headers"]:
        if key == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0
