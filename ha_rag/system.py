"""HighAvailabilityRAG: embeds a question, retrieves passages and generates the answer, falling back in each stage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from types import TracebackType

from ha_rag.background import BackgroundLoop
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.clock import Clock, SystemClock
from ha_rag.deadline import Deadline
from ha_rag.events import QuestionAnswered, Sink, TierFellBack, notify
from ha_rag.messages import Answer, Citation, ComponentType, Embedding, Generation, Passage
from ha_rag.strategy.guard import BreakerSource
from ha_rag.strategy.inquiry import Inquiry
from ha_rag.strategy.observing import NO_OBSERVER, PipelineObserver
from ha_rag.strategy.question import DEFAULT_TOP_K, checked_question, checked_timeout_s, checked_top_k
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.strategy import FallbackStrategy
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted, OpenStream

StreamEvent = AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken

EMBEDDER, RETRIEVER, GENERATOR = ComponentType.EMBEDDER, ComponentType.RETRIEVER, ComponentType.GENERATOR


class HighAvailabilityRAG:
    """Answers questions over documents, and keeps answering when the components behind it fail.

    `strategy`: the tiers. `circuits`: an entered `CircuitRegistry`, shared with the fleet; None: circuits local to this
    process. `sinks` receive an event for every answered question and every stage that fell back. `replica`: this
    process's name in answers (default: the registry's). `request_timeout_s`: default time limit for a question, in
    seconds. `observer` is called for each stage and attempt (tracing). `clock`: for tests.

    Safe across tasks of one event loop; `query_sync` is safe across threads. Close it with `aclose()`, `async with`,
    or, in a program without an event loop, `close()`. Closing it does not close the components or the circuits.
    """

    def __init__(
        self,
        strategy: FallbackStrategy,
        circuits: BreakerSource | None = None,
        *,
        clock: Clock | None = None,
        sinks: Sequence[Sink] = (),
        replica: str | None = None,
        request_timeout_s: float = 30.0,
        observer: PipelineObserver | None = None,
    ) -> None:
        self.strategy = strategy
        self.circuits: BreakerSource = CircuitRegistry.connect(clock=clock) if circuits is None else circuits
        self.replica = self.circuits.replica if replica is None else replica
        self.request_timeout_s = checked_timeout_s(request_timeout_s)
        self._clock = SystemClock() if clock is None else clock
        self._sinks = tuple(sinks)
        self._observer = NO_OBSERVER if observer is None else observer
        self._pipeline = strategy.guarded(self.circuits, self._observer)
        self._background = BackgroundLoop("`await query(...)`")

    async def query(self, question: str, top_k: int = DEFAULT_TOP_K, timeout_s: float | None = None) -> Answer:
        """The answer to `question` from at most `top_k` passages, within `timeout_s` seconds.

        Components that fail are skipped, and the answer lists them; if all fail, the answer is a plain sentence.
        Raises ConfigurationError for a question that is empty, longer than 8,000 characters or not a string, for a
        `top_k` outside 1 to 50, and for a `timeout_s` that is not above 0.
        """
        inquiry = self._begin(question, top_k, timeout_s)
        embedding = await self.get_embedding(inquiry.question, inquiry=inquiry)
        passages = await self.get_relevant_documents(embedding, inquiry.top_k, inquiry=inquiry)
        generation = await self.generate_response(inquiry.question, passages, inquiry=inquiry)
        return self._finish(inquiry, passages, generation)

    async def get_embedding(self, text: str, *, inquiry: Inquiry | None = None) -> Embedding:
        """The embedding of `text`, in the space of the tier that made it; the zero vector if every tier failed.

        `inquiry`: the question it belongs to; None: a separate call, with the full `request_timeout_s`.
        """
        if inquiry is None:
            return (await self._pipeline.embed(checked_question(text), self._deadline())).reply
        later_s = self._pipeline.retrievers.needs_s + self._pipeline.generators.needs_s
        return inquiry.note(EMBEDDER, await self._pipeline.embed(text, inquiry.deadline, later_s))

    async def get_relevant_documents(
        self,
        query_embedding: Embedding,
        top_k: int = DEFAULT_TOP_K,
        *,
        question: str = "",
        inquiry: Inquiry | None = None,
    ) -> list[Passage]:
        """At most `top_k` passages for an embedding, best first.

        `question`: its text, for retrievers that do not index the embedding's space and search by keywords.
        """
        if inquiry is None:
            k = checked_top_k(top_k)
            return (await self._pipeline.retrieve(question, query_embedding, None, k, self._deadline())).reply
        embedder, later_s = inquiry.served_by[EMBEDDER], self._pipeline.generators.needs_s
        served = await self._pipeline.retrieve(
            inquiry.question, query_embedding, embedder, top_k, inquiry.deadline, later_s
        )
        return inquiry.note(RETRIEVER, served)

    async def generate_response(
        self, query: str, documents: Sequence[Passage], *, inquiry: Inquiry | None = None
    ) -> Generation:
        """An answer to `query` from `documents`, which it cites by number, counting from 1."""
        if inquiry is None:
            return (await self._pipeline.generate(checked_question(query), documents, self._deadline())).reply
        return inquiry.note(GENERATOR, await self._pipeline.generate(query, documents, inquiry.deadline))

    async def stream(
        self, question: str, top_k: int = DEFAULT_TOP_K, timeout_s: float | None = None
    ) -> AsyncGenerator[StreamEvent]:
        """Streams the answer: AnswerStarted, then AnswerPieces, then AnswerDone or AnswerBroken.

        Falls back to another tier only before the first piece. A failure after it ends the stream with AnswerBroken,
        which holds the text so far. Raises what `query` raises, before the first event. Close the iterator
        (`aclosing`) if you stop early.
        """
        inquiry = self._begin(question, top_k, timeout_s)
        embedding = await self.get_embedding(inquiry.question, inquiry=inquiry)
        passages = await self.get_relevant_documents(embedding, inquiry.top_k, inquiry=inquiry)
        served = await self._pipeline.open_stream(inquiry.question, passages, inquiry.deadline)
        opened = inquiry.note(GENERATOR, served)
        try:
            yield AnswerStarted(inquiry.id, dict(inquiry.served_by), tuple(passages))
            while (piece := await opened.next(inquiry.deadline)) is not None:
                yield AnswerPiece(piece)
            yield self._last_event(inquiry, opened, passages)
        finally:
            await opened.aclose()

    def _last_event(self, inquiry: Inquiry, opened: OpenStream, passages: Sequence[Passage]) -> StreamEvent:
        if opened.ended is not None:
            inquiry.amend_last(GENERATOR, opened.ended)
        answer = self._finish(inquiry, passages, opened.so_far(len(passages)), broken=bool(opened.broken))
        return AnswerBroken(opened.broken, answer) if opened.broken else AnswerDone(answer)

    def query_sync(self, question: str, top_k: int = DEFAULT_TOP_K, timeout_s: float | None = None) -> Answer:
        """`query` for a program without an event loop. All calls run on one background thread.

        Raises what `query` raises, and RuntimeError where an event loop is running: await `query` there.
        """
        return self._background.run(lambda: self.query(question, top_k, timeout_s))

    def get_system_health(self) -> dict[str, ComponentStatus]:
        """Circuit name -> statistics of its component in this process, in tier order. A memory read."""
        return {tier.circuit: tier.status() for tier in self._pipeline.tiers}

    async def aclose(self, bound_s: float = 1.0) -> None:
        """Waits up to `bound_s` seconds for running probes, then cancels them."""
        await self._pipeline.probes.aclose(bound_s)

    def close(self) -> None:
        """Stops the background thread of `query_sync`, if it was started."""
        self._background.close(self.aclose)

    async def __aenter__(self) -> HighAvailabilityRAG:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _begin(self, question: str, top_k: int, timeout_s: float | None) -> Inquiry:
        allowed_s = self.request_timeout_s if timeout_s is None else timeout_s
        inquiry = Inquiry.of(question, top_k, allowed_s, self._clock)
        self._observer.asked(inquiry.question)
        return inquiry

    def _deadline(self) -> Deadline:
        return Deadline.after(self.request_timeout_s, self._clock)

    def _finish(
        self, inquiry: Inquiry, passages: Sequence[Passage], generation: Generation, *, broken: bool = False
    ) -> Answer:
        attempts = inquiry.all_attempts
        answer = Answer(
            id=inquiry.id,
            question=inquiry.question,
            text=generation.text,
            citations=citations(passages, generation.cited),
            served_by=inquiry.served_by,
            degraded_stages=self._pipeline.degraded(inquiry.served_by),
            attempts=attempts,
            quality=self._pipeline.expected_quality(inquiry.served_by),
            shared_state=self._pipeline.shared_state(attempts),
            replica=self.replica,
            ms=inquiry.ms,
        )
        if self._sinks:
            self._announce(answer, inquiry, broken=broken)
        return answer

    def _announce(self, answer: Answer, inquiry: Inquiry, *, broken: bool) -> None:
        now_ms = self._clock.unix_ms()
        for stage in answer.degraded_stages:
            fell_back = TierFellBack(
                at_ms=now_ms,
                replica=self.replica,
                answer=answer.id,
                stage=stage,
                first=self._pipeline.preferred[stage],
                served_by=answer.served_by[stage],
                attempts=tuple(inquiry.attempts[stage]),
            )
            notify(self._sinks, fell_back)
        answered = QuestionAnswered(
            at_ms=now_ms,
            replica=self.replica,
            answer=answer.id,
            ms=answer.ms,
            served_by=answer.served_by,
            degraded_stages=answer.degraded_stages,
            shared_state=answer.shared_state,
            broken=broken,
            attempts=answer.attempts,
        )
        notify(self._sinks, answered)


def citations(passages: Sequence[Passage], cited: Iterable[int]) -> tuple[Citation, ...]:
    """The passages that the answer cites by number; all of them if it cites none."""
    named = sorted({n for n in cited if 1 <= n <= len(passages)}) or range(1, len(passages) + 1)
    found = ((n, passages[n - 1]) for n in named)
    return tuple(Citation(n, passage.document, passage.id, passage.text, passage.score) for n, passage in found)
