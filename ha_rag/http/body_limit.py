"""A body has a largest size, whether its length is announced or it comes in chunks, and a longest time to arrive."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ha_rag.http.problems import Problem

MAX_BODY_BYTES = 10_000_000


class BodyLimit:
    """Refuses bodies over `max_bytes` with 413, and those that take longer than `timeout_s` to arrive with 408."""

    def __init__(self, app: ASGIApp, max_bytes: int = MAX_BODY_BYTES, timeout_s: float = 30.0) -> None:
        self.app = app
        self.max_bytes = max_bytes
        self.timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD"):
            await self.app(scope, receive, send)
            return
        if _announced(scope) > self.max_bytes:
            await self._too_large().response()(scope, receive, send)
            return
        await self.app(scope, self._counted(receive), send)

    def _counted(self, receive: Receive) -> Receive:
        size, whole = 0, False
        ends_at = asyncio.get_running_loop().time() + self.timeout_s

        async def counted() -> Message:
            nonlocal size, whole
            if whole:  # what comes now is news of the connection, which may take as long as the answer does
                return await receive()
            message = await self._in_time(receive, ends_at)
            size += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if size > self.max_bytes:
                raise self._too_large()
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


def _announced(scope: Scope) -> int:
    for key, value in scope["headers"]:
        if key == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else 0
    return 0
