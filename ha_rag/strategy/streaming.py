"""Streamed answers. The tier is fixed once the first piece has arrived."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ha_rag.breaker.execution import CallResult
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.probes import DetachedProbes
from ha_rag.components.generators.citations import cited_in
from ha_rag.deadline import Deadline
from ha_rag.interfaces import Generator, StreamingGenerator
from ha_rag.messages import Answer, Generation, Passage
from ha_rag.outcomes import Outcome
from ha_rag.strategy.observing import NO_OBSERVER, AttemptObserver
from ha_rag.strategy.pieces import GuardedPieces, Pieces, ProbedPieces
from ha_rag.strategy.replies import usable_generation
from ha_rag.strategy.tier import GuardedTier


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """The first piece has arrived, so the tier is fixed. `passages`: cited in the text by number, from 1."""

    id: str
    served_by: dict[str, str]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDone:
    """The stream ended normally. `answer`: the complete answer."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class AnswerBroken:
    """The stream failed: `reason` says why, `answer` holds the text so far. No other tier continues it."""

    reason: str
    answer: Answer


class OpenStream:
    """A streamed answer whose first piece has arrived. Belongs to one task; can be read once.

    `ended`: the result of the whole stream; None until it ends.
    """

    def __init__(
        self,
        first: str,
        remaining: Pieces | None = None,
        timeout_s: float = 0.0,
        observer: AttemptObserver = NO_OBSERVER,
    ) -> None:
        self._first = first
        self._remaining = remaining
        self._timeout_s = timeout_s
        self._text: list[str] = []
        self._observer = observer
        self.ended: CallResult[str] | None = None

    @property
    def broken(self) -> str:
        """Why the stream failed, or ""."""
        if self.ended is None or self.ended.outcome in {Outcome.OK, Outcome.SLOW}:
            return ""
        return self.ended.reason or str(self.ended.outcome)

    async def next(self, deadline: Deadline) -> str | None:
        """The next piece, within the tier's timeout; None once the stream ended or failed."""
        piece: str | CallResult[str] | None = None
        if not self._text:
            piece = self._first
        elif self._remaining is not None and self.ended is None:
            piece = await self._remaining.next(deadline.share_s(self._timeout_s))
        if isinstance(piece, CallResult):
            self.ended = piece
            self._observer.ended(piece.outcome, piece.reason)
            return None
        if piece is not None:
            self._text.append(piece)
        return piece

    def so_far(self, passages: int) -> Generation:
        """The text so far, and which of the `passages` (their number) it cites."""
        text = "".join(self._text)
        return Generation(text, cited_in(text, passages))

    async def aclose(self) -> None:
        """Closes the stream, if it has not ended."""
        self._observer.ended(Outcome.CANCELLED, "the reader closed the stream")
        if self._remaining is not None:
            await self._remaining.aclose()


class FirstPiece:
    """Calls generators for an answer's first piece, and keeps the stream of the one that returns it."""

    def __init__(self, question: str, passages: Sequence[Passage], probes: DetachedProbes) -> None:
        self._question = question
        self._passages = passages
        self._probes = probes

    async def ask(
        self, tier: GuardedTier[Generator], permit: Permit, limit_s: float, observer: AttemptObserver
    ) -> CallResult[OpenStream]:
        """Waits for the first piece; the permit is settled when the stream ends."""
        started_s = permit.recorder.now()
        pieces = self.start_probe(tier, permit) if permit.probe else self._pieces(tier, permit)
        try:
            first = await pieces.next(limit_s)
        except BaseException:
            await pieces.aclose()
            raise
        elapsed_s = permit.recorder.now() - started_s
        if isinstance(first, CallResult):
            await pieces.aclose()
            observer.ended(first.outcome, first.reason)
            return CallResult(first.outcome, elapsed_s, first.reason, error=first.error)
        observer.continues()
        return CallResult(Outcome.OK, elapsed_s, replies=(OpenStream(first, pieces, tier.timeout_s, observer),))

    async def ask_last(self, component: Generator, /) -> OpenStream:
        return OpenStream((await component.generate(self._question, self._passages)).text)

    def start_probe(self, tier: GuardedTier[Generator], permit: Permit) -> ProbedPieces:
        """Starts a probe, whose stream is read to its end even if its reader is gone."""
        probed = ProbedPieces(tier)
        self._probes.start(probed.pump(self._pieces(tier, permit), permit.bound_s), permit)
        return probed

    def _pieces(self, tier: GuardedTier[Generator], permit: Permit) -> GuardedPieces:
        return GuardedPieces(tier, pieces_of(tier.component, self._question, self._passages), permit)


async def pieces_of(generator: Generator, question: str, passages: Sequence[Passage]) -> AsyncGenerator[str]:
    """The generator's non-empty pieces; a single piece if it does not stream."""
    if not isinstance(generator, StreamingGenerator):
        yield usable_generation(await generator.generate(question, passages)).text
        return
    stream = generator.stream(question, passages)
    async with _closing(stream):
        async for piece in stream:
            if piece:
                yield piece


@asynccontextmanager
async def _closing(stream: AsyncIterator[str]) -> AsyncIterator[None]:
    """Closes the stream, and so its connection, at once if its reader stops early."""
    try:
        yield
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
