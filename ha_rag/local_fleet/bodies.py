"""Request bodies that the front buffers: limits on size and arrival time of each, and on their total size."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from ha_rag.http.body_limit import MAX_PARTIAL_BYTES, max_body_bytes, too_large
from ha_rag.http.problems import Problem, retry_after
from ha_rag.local_fleet.refusals import HANG_UP, no_http


class Bodies:
    """Buffers bodies from the first byte until a replica has replied, since until then the request may be retried.

    For one event loop.
    """

    def __init__(self, timeout_s: float, most_bytes: int = MAX_PARTIAL_BYTES) -> None:
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self.held_bytes = 0

    @asynccontextmanager
    async def of(self, request: web.Request) -> AsyncIterator[bytes]:
        """The request's body, buffered for as long as the block lasts.

        Raises Problem: 408 too slow, 413 too large, 503 too many of them, 400 malformed HTTP.
        """
        most = max_body_bytes(request.path)
        if (request.content_length or 0) > most:
            raise too_large(most)
        pieces: list[bytes] = []
        try:
            await self._collect(request, pieces, most)
            pieces[:] = [b"".join(pieces)]
            yield pieces[0]
        finally:
            self.held_bytes -= sum(len(piece) for piece in pieces)

    async def _collect(self, request: web.Request, pieces: list[bytes], most: int) -> None:
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                async for piece in request.content.iter_any():
                    pieces.append(piece)
                    size += len(piece)
                    self.held_bytes += len(piece)
                    if size > most:
                        raise too_large(most)
                    if self.held_bytes > self._most_bytes:
                        raise _too_many()
        except TimeoutError:
            raise self._too_slow() from None
        except web.RequestPayloadError:
            raise no_http() from None

    def _too_slow(self) -> Problem:
        message = f"the body did not arrive within {self._timeout_s:g} s"
        return Problem(408, "request_timeout", message, headers=HANG_UP)


def _too_many() -> Problem:
    message = "too many large request bodies are in flight; try again"
    return Problem(503, "overloaded", message, headers={**retry_after(1), **HANG_UP})
