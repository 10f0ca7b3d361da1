"""An answer that is handed out piece by piece, and whose tier may no longer change once the first piece is out."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ha_rag.breaker.execution import Ended
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.probes import DetachedProbes
from ha_rag.components.generators.citations import cited_in
from ha_rag.deadline import Deadline
from ha_rag.interfaces import Generator, StreamingGenerator
from ha_rag.messages import Answer, Generation, Outcome, Passage
from ha_rag.strategy.observing import NOBODY, AttemptSeen
from ha_rag.strategy.pieces import GuardedPieces, Pieces, ProbedPieces
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

    def __init__(
        self, first: str, rest: Pieces | None = None, timeout_s: float = 0.0, seen: AttemptSeen = NOBODY
    ) -> None:
        self._first = first
        self._rest = rest
        self._timeout_s = timeout_s
        self._text: list[str] = []
        self._seen = seen
        self.ended: Ended[str] | None = None

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
            self._seen.ended(piece.outcome, piece.reason)
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
        self._seen.ended(Outcome.CANCELLED, "the reader left")
        if self._rest is not None:
            await self._rest.aclose()


class FirstPiece:
    """Asks generators for an answer's first piece, and keeps the stream of the one that gave it."""

    def __init__(self, question: str, passages: Sequence[Passage], probes: DetachedProbes) -> None:
        self._question = question
        self._passages = passages
        self._probes = probes

    async def ask(
        self, tier: GuardedTier[Generator], permit: Permit, limit_s: float, seen: AttemptSeen
    ) -> Ended[OpenStream]:
        """Waits for the first piece; the permit is settled when the stream ends."""
        started_s = permit.recorder.now()
        pieces = self.start_probe(tier, permit) if permit.probe else self._pieces(tier, permit)
        try:
            first = await pieces.next(limit_s)
        except BaseException:
            await pieces.aclose()
            raise
        elapsed_s = permit.recorder.now() - started_s
        if isinstance(first, Ended):
            await pieces.aclose()
            seen.ended(first.outcome, first.reason)
            return Ended(first.outcome, elapsed_s, first.reason, error=first.error)
        seen.goes_on()
        return Ended(Outcome.OK, elapsed_s, replies=(OpenStream(first, pieces, tier.timeout_s, seen),))

    async def ask_last(self, component: Generator, /) -> OpenStream:
        return OpenStream((await component.generate(self._question, self._passages)).text)

    def start_probe(self, tier: GuardedTier[Generator], permit: Permit) -> ProbedPieces:
        """A probe's stream is read to its end, whether or not anybody takes its pieces."""
        probed = ProbedPieces(tier)
        self._probes.start(probed.pump(self._pieces(tier, permit), permit.bound_s), permit)
        return probed

    def _pieces(self, tier: GuardedTier[Generator], permit: Permit) -> GuardedPieces:
        return GuardedPieces(tier, pieces_of(tier.component, self._question, self._passages), permit)


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
