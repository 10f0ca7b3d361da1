"""Guarded streams: each piece within the time limit, and the permit settled when the whole stream ends.

Only time spent waiting for the generator counts: a slow reader is not the service's fault. A probe must be settled
before its lease ends, but its stream may take longer: a stream that is still producing pieces by then is a success.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol, TypeAlias

from ha_rag.breaker.execution import CallResult, execute, reason
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.time_limit import TimeLimitExceededError, within
from ha_rag.errors import MalformedReplyError
from ha_rag.messages import StreamEnding
from ha_rag.strategy.exchange import still_probing
from ha_rag.strategy.tier import C, GuardedTier

Item: TypeAlias = str | StreamEnding
"""What a stream consists of: pieces of text, and why it ended if that is not the answer's end."""


class Pieces(Protocol):
    """The remaining pieces of a stream."""

    async def next(self, limit_s: float) -> Item | CallResult[Item]:
        """The next piece, within `limit_s` seconds, or the result of the stream once it ended."""
        ...

    async def aclose(self) -> None:
        """Discards the remaining pieces."""
        ...


class GuardedPieces:
    """The pieces of one tier, read directly. Belongs to one task at a time."""

    def __init__(self, tier: GuardedTier[C], pieces: AsyncGenerator[Item], permit: Permit) -> None:
        self._tier = tier
        self._pieces = pieces
        self._permit = permit
        self._waited_s = 0.0
        self._waiting_since_s = permit.recorder.now()
        self._begun = False
        self._settled = False

    async def next(self, limit_s: float) -> Item | CallResult[Item]:
        """The next piece, or the result of the stream; the permit is settled when it ends."""
        now = self._permit.recorder.now
        started_s = self._waiting_since_s = now()
        try:
            result = await execute(
                self._permit,
                lambda: anext(self._pieces, None),
                limit_s,
                full=limit_s >= self._tier.timeout_s,
                keep_open=True,
                by_person=True,
                note=self._tier.stats.note,
            )
        except BaseException:
            self._settled = True
            raise
        self._waited_s += now() - started_s
        if not result.replies:
            self._settled = True
            return CallResult(result.outcome, self._waited_s, result.reason, error=result.error)
        piece = result.replies[0]
        if piece is None:
            return self._finished()
        self._begun = True
        self._permit.begun()
        return piece

    def settle_so_far(self) -> None:
        """Settles a probe whose lease is about to end during its stream: a success if the stream has begun.

        It is a timeout if the last piece is more than half of the timeout ago, as for a cancelled call.
        """
        if not self._begun or self._settled:
            return
        if self._permit.recorder.waited_too_long(self._waiting_since_s):
            self._permit.timed_out()
        else:
            self._permit.ok()

    async def aclose(self) -> None:
        """Closes the stream. If it had not ended, the call does not count."""
        if not self._settled:
            self._settled = True
            self._tier.stats.note(self._permit.cancelled(), self._waited_s, "the reader closed the stream")
        await self._pieces.aclose()

    def _finished(self) -> CallResult[Item]:
        self._settled = True
        why = ""
        if self._begun:
            outcome = self._permit.ok()
        else:
            empty = MalformedReplyError("the answer is empty")
            outcome, why = self._permit.raised(empty), reason(empty)
        self._tier.stats.note(outcome, self._waited_s, why)
        return CallResult(outcome, self._waited_s, why)


class ProbedPieces:
    """The pieces of a probe, which continues even if its reader is gone: `pump` runs in its own task."""

    def __init__(self, tier: GuardedTier[C]) -> None:
        self._tier = tier
        self._arrived: asyncio.Queue[Item | CallResult[Item]] = asyncio.Queue()

    async def pump(self, pieces: GuardedPieces, bound_s: float | None) -> None:
        """Reads all pieces, each within the tier's timeout and the first within `bound_s` seconds.

        After `bound_s` the probe is settled by the stream's progress; the remaining pieces are read like any other's.
        """
        timeout_s = self._tier.timeout_s
        bound_s = timeout_s if bound_s is None else bound_s
        due = asyncio.get_running_loop().call_later(bound_s, pieces.settle_so_far)
        try:
            piece = await pieces.next(min(timeout_s, bound_s))
            self._arrived.put_nowait(piece)
            while not isinstance(piece, CallResult):
                piece = await pieces.next(timeout_s)
                self._arrived.put_nowait(piece)
        finally:
            due.cancel()
            await pieces.aclose()

    async def next(self, limit_s: float) -> Item | CallResult[Item]:
        """The next piece that the probe received."""
        try:
            return await within(limit_s, self._arrived.get())
        except TimeLimitExceededError:
            return still_probing(limit_s, full=limit_s >= self._tier.timeout_s)

    async def aclose(self) -> None:
        """Does nothing: the probe continues."""
