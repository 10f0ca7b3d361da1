"""An answer that is handed out piece by piece, and whose tier may no longer change once the first piece is out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ha_rag.components.generators.citations import cited_in
from ha_rag.deadline import Deadline
from ha_rag.interfaces import Generator, StreamingGenerator
from ha_rag.messages import Answer, Generation, Outcome, Passage
from ha_rag.strategy.attempt import Ended
from ha_rag.strategy.chain import Talk, state_met
from ha_rag.strategy.guard import Permit
from ha_rag.strategy.observing import AttemptSeen, Observer
from ha_rag.strategy.pieces import GuardedPieces, Pieces, ProbedPieces
from ha_rag.strategy.probes import DetachedProbes
from ha_rag.strategy.replies import usable_generation
from ha_rag.strategy.tier import GuardedTier


@dataclass(frozen=True, slots=True)
class AnswerStarted:
    """The first piece is here, so it is settled who answers. `passages`: what the text's numbers, from 1, refer to."""

    id: str
    served_by: dict[str, str]
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """The next piece of the answer's text."""

    text: str


@dataclass(frozen=True, slots=True)
class AnswerDone:
    """The stream came to its end. `answer` is the whole."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class AnswerBroken:
    """The stream broke off: `reason` says why, `answer` holds what there was. No other tier may go on from here."""

    reason: str
    answer: Answer


class OpenStream:
    """An answer under way: its first piece is there. Belongs to one task; can be gone through once.

    `ended`: how the whole of it went, once that is known.
    """

    def __init__(self, first: str, rest: Pieces | None = None, timeout_s: float = 0.0) -> None:
        self._first = first
        self._rest = rest
        self._timeout_s = timeout_s
        self._text: list[str] = []
        self.ended: Ended[str] | None = None
        self.seen: AttemptSeen | None = None

    @property
    def broken(self) -> str:
        """Why it broke off, or ""."""
        good = self.ended is None or self.ended.outcome in {Outcome.OK, Outcome.SLOW}
        return "" if good or self.ended is None else self.ended.reason or str(self.ended.outcome)

    async def next(self, deadline: Deadline) -> str | None:
        """The next piece, waited for as long as the tier's timeout at most; None at the end, or where it broke off."""
        piece: str | Ended[str] | None = None
        if not self._text:
            piece = self._first
        elif self._rest is not None and self.ended is None:
            piece = await self._rest.next(deadline.share_s(self._timeout_s))
        if isinstance(piece, Ended):
            self.ended = piece
            if self.seen is not None:
                self.seen.ended(piece.outcome, piece.reason)
            return None
        if piece is not None:
            self._text.append(piece)
        return piece

    def so_far(self, passages: int) -> Generation:
        """The text handed out, and which of the `passages` given it cites."""
        text = "".join(self._text)
        return Generation(text, cited_in(text, passages))

    async def aclose(self) -> None:
        """Gives the stream up, if it has not ended."""
        if self.seen is not None:
            self.seen.ended(Outcome.CANCELLED, "the reader left")
        if self._rest is not None:
            await self._rest.aclose()


class Streaming:
    """A way to talk to generators: waits for the first piece, and keeps the others for later."""

    def __init__(
        self,
        question: str,
        passages: Sequence[Passage],
        deadline: Deadline,
        probes: DetachedProbes,
        observer: Observer | None = None,
    ) -> None:
        self._question = question
        self._passages = passages
        self._clock = deadline.clock
        self._probes = probes
        self._observer = observer

    @property
    def talk(self) -> Talk[Generator, OpenStream]:
        """As a chain wants it."""
        return Talk(self._call, self._pieces)

    async def _call(self, tier: GuardedTier[Generator], permit: Permit, limit_s: float) -> Ended[OpenStream]:
        if self._observer is None:
            return await self._opened(tier, permit, limit_s)
        with self._observer.attempt(tier.circuit, state_met(tier, permit)) as attempt:
            ended = await self._opened(tier, permit, limit_s)
            for opened in ended.replies:
                opened.seen = attempt
                attempt.goes_on()
            if not ended.replies:
                attempt.ended(ended.outcome, ended.reason)
            return ended

    async def _opened(self, tier: GuardedTier[Generator], permit: Permit, limit_s: float) -> Ended[OpenStream]:
        started_s = self._clock.monotonic_s()
        pieces = self._pieces(tier, permit)
        try:
            first = await pieces.next(limit_s)
        except BaseException:
            await pieces.aclose()
            raise
        elapsed_s = self._clock.monotonic_s() - started_s
        if isinstance(first, Ended):
            await pieces.aclose()
            return Ended(first.outcome, elapsed_s, first.reason, passing=first.passing)
        return Ended(Outcome.OK, elapsed_s, replies=(OpenStream(first, pieces, tier.timeout_s),))

    def _pieces(self, tier: GuardedTier[Generator], permit: Permit) -> Pieces:
        generated = pieces_of(tier.component, self._question, self._passages)
        guarded = GuardedPieces(tier, generated, permit, self._clock)
        if not permit.probe:
            return guarded
        probed = ProbedPieces(tier)
        self._probes.start(probed.pump(guarded, permit.bound_s), permit)
        return probed


async def pieces_of(generator: Generator, question: str, passages: Sequence[Passage]) -> AsyncGenerator[str]:
    """The generator's pieces that are not empty; one piece where it does not stream."""
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
    """Closes the stream at once, and with it its connection, where its reader stops in the middle."""
    try:
        yield
    finally:
        if isinstance(stream, AsyncGenerator):
            await stream.aclose()
