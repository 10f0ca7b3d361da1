"""A generator's pieces under guard: each within the time limit, and the permit settled by how the whole stream ended.

Only waiting for the generator counts as its time: a reader that is slow to take the pieces is no fault of the service.
A probe must be settled before its lease ends, while its answer may take longer: an answer under way by then is good.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Protocol

from ha_rag.breaker.execution import Ended, execute, reason
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.time_limit import TimeIsUpError, within
from ha_rag.errors import MalformedReplyError
from ha_rag.strategy.exchange import still_probing
from ha_rag.strategy.tier import C, GuardedTier


class Pieces(Protocol):
    """Pieces to come."""

    async def next(self, limit_s: float) -> str | Ended[str]:
        """The next piece, waited for at most `limit_s` seconds; or how the stream ended."""
        ...

    async def aclose(self) -> None:
        """Gives up what is left."""
        ...


class GuardedPieces:
    """The pieces of one tier, straight from it. Belongs to one task at a time."""

    def __init__(self, tier: GuardedTier[C], pieces: AsyncGenerator[str], permit: Permit) -> None:
        self._tier = tier
        self._pieces = pieces
        self._permit = permit
        self._waited_s = 0.0
        self._waiting_since_s = permit.recorder.now()
        self._begun = False
        self._settled = False

    async def next(self, limit_s: float) -> str | Ended[str]:
        """The next piece, or how the stream ended; the permit is settled then."""
        now = self._permit.recorder.now
        started_s = self._waiting_since_s = now()
        try:
            ended = await execute(
                self._permit,
                lambda: anext(self._pieces, None),
                limit_s,
                full=limit_s >= self._tier.timeout_s,
                keep_open=True,
                note=self._tier.stats.note,
            )
        except BaseException:
            self._settled = True
            raise
        self._waited_s += now() - started_s
        if not ended.replies:
            self._settled = True
            return Ended(ended.outcome, self._waited_s, ended.reason, error=ended.error)
        piece = ended.replies[0]
        if piece is None:
            return self._finished()
        self._begun = True
        self._permit.begun()
        return piece

    def settle_so_far(self) -> None:
        """Settles a probe that is due while its stream goes on: good, if the stream has begun.

        One that has been silent for more than half of its timeout is late, as if its caller had left.
        """
        if not self._begun or self._settled:
            return
        if self._permit.recorder.is_patient(self._waiting_since_s):
            self._permit.timed_out()
        else:
            self._permit.ok()

    async def aclose(self) -> None:
        """Closes the stream. If it had not ended, that counts for nothing."""
        if not self._settled:
            self._settled = True
            self._tier.stats.note(self._permit.cancelled(), self._waited_s, "the reader left")
        await self._pieces.aclose()

    def _finished(self) -> Ended[str]:
        self._settled = True
        why = ""
        if self._begun:
            outcome = self._permit.ok()
        else:
            empty = MalformedReplyError("the answer is empty")
            outcome, why = self._permit.raised(empty), reason(empty)
        self._tier.stats.note(outcome, self._waited_s, why)
        return Ended(outcome, self._waited_s, why)


class ProbedPieces:
    """The pieces of a probe, which goes on by itself when its reader has left: `pump` is its task."""

    def __init__(self, tier: GuardedTier[C]) -> None:
        self._tier = tier
        self._arrived: asyncio.Queue[str | Ended[str]] = asyncio.Queue()

    async def pump(self, pieces: GuardedPieces, bound_s: float | None) -> None:
        """Takes all the pieces, each within the tier's timeout, the first within `bound_s` seconds as well.

        After `bound_s` the probe is settled by how the stream does so far; the rest is like any other answer's.
        """
        timeout_s = self._tier.timeout_s
        bound_s = timeout_s if bound_s is None else bound_s
        due = asyncio.get_running_loop().call_later(bound_s, pieces.settle_so_far)
        try:
            piece = await pieces.next(min(timeout_s, bound_s))
            self._arrived.put_nowait(piece)
            while not isinstance(piece, Ended):
                piece = await pieces.next(timeout_s)
                self._arrived.put_nowait(piece)
        finally:
            due.cancel()
            await pieces.aclose()

    async def next(self, limit_s: float) -> str | Ended[str]:
        """The next piece that the probe brought."""
        try:
            return await within(limit_s, self._arrived.get())
        except TimeIsUpError:
            return still_probing(limit_s, full=limit_s >= self._tier.timeout_s)

    async def aclose(self) -> None:
        """Nothing to give up: the probe goes on."""
