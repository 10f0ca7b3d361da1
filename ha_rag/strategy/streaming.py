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
from ha_rag.messages import Answer, Attempt, EarlierAnswer, Generation, Passage, StreamEnding
from ha_rag.outcomes import Outcome
from ha_rag.strategy.last_words import after_notice, last_words
from ha_rag.strategy.observing import NO_OBSERVER, AttemptObserver
from ha_rag.strategy.pieces import GuardedPieces, Item, Pieces, ProbedPieces
from ha_rag.strategy.replies import usable_generation
from ha_rag.strategy.tier import GuardedTier

WHOLE_ENDING = StreamEnding()


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
        first: Item,
        remaining: Pieces | None = None,
        timeout_s: float = 0.0,
        observer: AttemptObserver = NO_OBSERVER,
        ending: StreamEnding = WHOLE_ENDING,
        earlier: EarlierAnswer | None = None,
    ) -> None:
        self.earlier = earlier
        self._first = first
        self._ending = ending
        self._remaining = remaining
        self._timeout_s = timeout_s
        self._text: list[str] = []
        self._observer = observer
        self.ended: CallResult[Item] | None = None

    @classmethod
    def of_earlier(cls, earlier: EarlierAnswer) -> OpenStream:
        """An earlier answer, whole, as a stream of one piece."""
        return cls(earlier.text, earlier=earlier)

    @property
    def broken(self) -> str:
        """Why the stream failed, or ""."""
        if self.ended is None or self.ended.outcome in {Outcome.OK, Outcome.SLOW}:
            return ""
        return self.ended.reason or str(self.ended.outcome)

    async def next(self, deadline: Deadline) -> str | None:
        """The next piece, within the tier's timeout; None once the stream ended or failed."""
        piece = self._first if not self._text else await self._following(deadline)
        if isinstance(piece, StreamEnding):
            self._ending = piece
            piece = await self._following(deadline)
        if isinstance(piece, CallResult):
            self.ended = piece
            self._observer.ended(piece.outcome, piece.reason)
            return None
        if not isinstance(piece, str):
            return None
        self._text.append(piece)
        return piece

    async def _following(self, deadline: Deadline) -> Item | CallResult[Item] | None:
        if self._remaining is None or self.ended is not None:
            return None
        return await self._remaining.next(deadline.share_s(self._timeout_s))

    def so_far(self, passages: int) -> Generation:
        """The text so far, and which of the `passages` (their number) it cites."""
        if self.earlier is not None:
            return self.earlier
        text = "".join(self._text)
        ending = self._ending
        return Generation(text, cited_in(text, passages), ending.finish_reason, ending.usage, ending.quotes)

    async def aclose(self) -> None:
        """Closes the stream, if it has not ended."""
        self._observer.ended(Outcome.CANCELLED, "the reader closed the stream")
        if self._remaining is not None:
            await self._remaining.aclose()


class FirstPiece:
    """Calls generators for an answer's first piece, and keeps the stream of the one that returns it.

    `notice`: what the answer says first, or "".
    """

    def __init__(self, question: str, passages: Sequence[Passage], probes: DetachedProbes, notice: str = "") -> None:
        self._notice = notice
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
        first = after_notice(self._notice, first) if isinstance(first, str) else first
        return CallResult(Outcome.OK, elapsed_s, replies=(OpenStream(first, pieces, tier.timeout_s, observer),))

    async def ask_last(self, component: Generator, attempts: Sequence[Attempt], /) -> OpenStream:
        return OpenStream(last_words(self._passages, attempts, self._notice).text)

    def start_probe(self, tier: GuardedTier[Generator], permit: Permit) -> ProbedPieces:
        """Starts a probe, whose stream is read to its end even if its reader is gone."""
        probed = ProbedPieces(tier)
        self._probes.start(probed.pump(self._pieces(tier, permit), permit.bound_s), permit)
        return probed

    def _pieces(self, tier: GuardedTier[Generator], permit: Permit) -> GuardedPieces:
        return GuardedPieces(tier, pieces_of(tier.component, self._question, self._passages), permit)


async def pieces_of(generator: Generator, question: str, passages: Sequence[Passage]) -> AsyncGenerator[Item]:
    """The generator's non-empty pieces; a single piece if it does not stream. An end without text is left out."""
    if not isinstance(generator, StreamingGenerator):
        generation = usable_generation(await generator.generate(question, passages))
        yield generation.text
        if (ending := StreamEnding(generation.finish_reason, generation.usage, generation.quotes)) != WHOLE_ENDING:
            yield ending
        return
    stream, begun = generator.stream(question, passages), False
    async with _closing(stream):
        async for piece in stream:
            if piece and (begun or isinstance(piece, str)):
                begun = True
                yield piece


@asynccontextmanager
async def _closing(stream: AsyncIterator[Item]) -> AsyncIterator[None]:
    """Closes the stream, and so its connection, at once if its reader stops early."""
    try:
        yield
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
