"""HighAvailabilityRAG: embeds a question, retrieves (and reranks) passages and answers, falling back in each stage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from types import TracebackType

from ha_rag.background import BackgroundLoop
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.clock import Clock, SystemClock
from ha_rag.components.generators.refusal import is_simulated
from ha_rag.components.generators.wishes import wishing
from ha_rag.deadline import Deadline
from ha_rag.events import Sink, notify
from ha_rag.messages import Answer, ComponentType, EarlierAnswer, Embedding, Generation, Passage, Quality
from ha_rag.strategy.announcing import events_of
from ha_rag.strategy.answer_cache import AnswerCache
from ha_rag.strategy.answer_naming import NewId, random_id
from ha_rag.strategy.citing import citations, is_answered
from ha_rag.strategy.embedding_cache import CachedEmbeddings
from ha_rag.strategy.experiment import Experiment
from ha_rag.strategy.guard import BreakerSource
from ha_rag.strategy.inquiry import Inquiry
from ha_rag.strategy.observing import NO_OBSERVER, PipelineObserver
from ha_rag.strategy.quality import QualityTable
from ha_rag.strategy.question import DEFAULT_TOP_K, checked_question, checked_timeout_s, checked_top_k
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.strategy import FallbackStrategy
from ha_rag.strategy.streaming import AnswerBroken, AnswerDone, AnswerPiece, AnswerStarted, OpenStream

StreamEvent = AnswerStarted | AnswerPiece | AnswerDone | AnswerBroken

BROKEN = "error"
"""The `finish_reason` of an answer whose stream broke."""

EMBEDDER, RETRIEVER, GENERATOR = ComponentType.EMBEDDER, ComponentType.RETRIEVER, ComponentType.GENERATOR
RERANKER = ComponentType.RERANKER


class HighAvailabilityRAG:
    """Answers questions over documents, and keeps answering when the components behind it fail.

    `strategy`: the tiers. `circuits`: an entered `CircuitRegistry`, shared with the fleet; None: circuits local to this
    process. `sinks` receive an event for every answered question and every stage that fell back. `replica`: this
    process's name in answers (default: the registry's). `request_timeout_s`: default time limit for a question, in
    seconds. `observer` is called for each stage and attempt (tracing). `embedding_cache`, `answer_cache`: what replicas
    keep for one another, if anything. `new_id` makes the id of an answer from its `served_by`, its degraded stages and
    its arm of the `experiment`, which splits the questions, if there is one.
    `clock`: for tests.

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
        embedding_cache: CachedEmbeddings | None = None,
        answer_cache: AnswerCache | None = None,
        new_id: NewId = random_id,
        experiment: Experiment | None = None,
    ) -> None:
        self.strategy = strategy
        self.circuits: BreakerSource = CircuitRegistry.connect(clock=clock) if circuits is None else circuits
        self.replica = self.circuits.replica if replica is None else replica
        self.request_timeout_s = checked_timeout_s(request_timeout_s)
        self._clock = SystemClock() if clock is None else clock
        self._sinks = tuple(sinks)
        self._observer = NO_OBSERVER if observer is None else observer
        self._pipeline = strategy.guarded(self.circuits, self._observer)
        self._new_id = new_id
        self._experiment = experiment
        self._embedding_cache = embedding_cache
        self._answer_cache = answer_cache
        self._background = BackgroundLoop("`await query(...)`")

    async def query(
        self,
        question: str,
        top_k: int = DEFAULT_TOP_K,
        timeout_s: float | None = None,
        wishes: str = "",
        asker: str = "",
    ) -> Answer:
        """The answer to `question` from at most `top_k` passages, within `timeout_s` seconds.

        `wishes`: what the asker wishes of its language and form, such as "Answer in German, in one sentence."; language
        models follow them, the other generators cannot. `asker`: what names the user or the session, for experiments:
        the same one is always given the same arm.

        Components that fail are skipped, and the answer lists them; if all fail, the answer is a plain sentence.
        Raises ConfigurationError for a question that is empty, longer than 8,000 characters or not a string, for a
        `top_k` outside 1 to 50, and for a `timeout_s` that is not above 0.
        """
        inquiry = self._begin(question, top_k, timeout_s, wishes, asker)
        embedding = await self.get_embedding(inquiry.question, inquiry=inquiry)
        passages = await self.get_relevant_documents(embedding, inquiry.top_k, inquiry=inquiry)
        with wishing(wishes):
            generation = await self.generate_response(inquiry.question, passages, inquiry=inquiry)
        return self._finish(inquiry, passages, generation)

    async def get_embedding(self, text: str, *, inquiry: Inquiry | None = None) -> Embedding:
        """The embedding of `text`, in the space of the tier that made it; the zero vector if every tier failed.

        `inquiry`: the question it belongs to; None: a separate call, with the full `request_timeout_s`.
        """
        if inquiry is None:
            return (await self._pipeline.embed(checked_question(text), self._deadline())).reply
        later_s = self._pipeline.retrievers.needs_s + self._pipeline.generators.needs_s
        recall = None if self._embedding_cache is None else self._embedding_cache.of(text)
        first = inquiry.firsts.get(EMBEDDER)
        return inquiry.note(EMBEDDER, await self._pipeline.embed(text, inquiry.deadline, later_s, recall, first))

    async def get_relevant_documents(
        self,
        query_embedding: Embedding,
        top_k: int = DEFAULT_TOP_K,
        *,
        question: str = "",
        inquiry: Inquiry | None = None,
    ) -> list[Passage]:
        """At most `top_k` passages for an embedding, best first; reranked if there are rerankers and one can.

        `question`: its text, for rerankers, and for retrievers that do not index the embedding's space and search by
        keywords.
        """
        if inquiry is None:
            k, deadline = checked_top_k(top_k), self._deadline()
            wide = self._pipeline.candidates(k) if question else k
            found = (await self._pipeline.retrieve(question, query_embedding, None, wide, deadline)).reply
            return await self._best(question, found, k, deadline) if question else found
        embedder, later_s = inquiry.served_by[EMBEDDER], self._pipeline.generators.needs_s
        wide = self._pipeline.candidates(top_k)
        served = await self._pipeline.retrieve(
            inquiry.question, query_embedding, embedder, wide, inquiry.deadline, later_s, inquiry.firsts.get(RETRIEVER)
        )
        found = inquiry.note(RETRIEVER, served)
        return await self._best(inquiry.question, found, top_k, inquiry.deadline, inquiry)

    async def _best(
        self, question: str, found: list[Passage], top_k: int, deadline: Deadline, inquiry: Inquiry | None = None
    ) -> list[Passage]:
        """The best `top_k` of what was found, reranked if that is possible."""
        if not self._pipeline.reranks(found):
            return found[:top_k]
        later_s = self._pipeline.generators.needs_s
        found_by = None if inquiry is None else (inquiry.served_by[EMBEDDER], inquiry.served_by[RETRIEVER])
        first = None if inquiry is None else inquiry.firsts.get(RERANKER)
        served = await self._pipeline.rerank(question, found, top_k, deadline, later_s, found_by, first)
        return served.reply if inquiry is None else inquiry.note(RERANKER, served)

    async def generate_response(
        self, query: str, documents: Sequence[Passage], *, inquiry: Inquiry | None = None
    ) -> Generation:
        """An answer to `query` from `documents`, which it cites by number, counting from 1."""
        if inquiry is None:
            return (await self._pipeline.generate(checked_question(query), documents, self._deadline())).reply
        first = inquiry.firsts.get(GENERATOR)
        served = await self._pipeline.generate(
            query, documents, inquiry.deadline, inquiry.notice, inquiry.earlier, inquiry.plan, first
        )
        return inquiry.note(GENERATOR, served)

    async def stream(
        self,
        question: str,
        top_k: int = DEFAULT_TOP_K,
        timeout_s: float | None = None,
        wishes: str = "",
        asker: str = "",
    ) -> AsyncGenerator[StreamEvent]:
        """Streams the answer: AnswerStarted, then AnswerPieces, then AnswerDone or AnswerBroken.

        Falls back to another tier only before the first piece. A failure after it ends the stream with AnswerBroken,
        which holds the text so far. `wishes`, `asker`: as in `query`. Raises what `query` raises, before the first
        event. Close the iterator (`aclosing`) if you stop early.
        """
        inquiry = self._begin(question, top_k, timeout_s, wishes, asker)
        embedding = await self.get_embedding(inquiry.question, inquiry=inquiry)
        passages = await self.get_relevant_documents(embedding, inquiry.top_k, inquiry=inquiry)
        with wishing(wishes):  # the request to the generator is sent in here, whoever reads its pieces
            first = inquiry.firsts.get(GENERATOR)
            served = await self._pipeline.open_stream(
                inquiry.question, passages, inquiry.deadline, inquiry.notice, inquiry.earlier, inquiry.plan, first
            )
        opened = inquiry.note(GENERATOR, served)
        try:
            yield AnswerStarted(
                self._id_of(inquiry), dict(inquiry.served_by), () if opened.earlier else tuple(passages)
            )
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

    def use_quality(self, table: QualityTable | None) -> None:
        """Replaces the measured figures, for the questions that come after; None: there are none any more."""
        self._pipeline.choices.use(table)

    def expected_quality(self) -> Quality | None:
        """What to expect of a question that is asked now, from the tiers that are up. None without measured figures."""
        return self._pipeline.expected_quality()

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

    def _begin(self, question: str, top_k: int, timeout_s: float | None, wishes: str, asker: str) -> Inquiry:
        allowed_s = self.request_timeout_s if timeout_s is None else timeout_s
        inquiry = Inquiry.of(question, top_k, allowed_s, self._clock)
        inquiry.draw(self._experiment, asker)
        if self._answer_cache is not None:
            tiers, usual = self._pipeline.generators.tiers, self._pipeline.choices.preferred[GENERATOR]
            key = (inquiry.question, inquiry.top_k, wishes, tiers, inquiry.firsts.get(GENERATOR, usual))
            inquiry.earlier = self._answer_cache.of(*key, inquiry.variant)
        self._observer.asked(inquiry.question)
        return inquiry

    def _id_of(self, inquiry: Inquiry) -> str:
        """The id of its answer, which is made once and can be given before the text has arrived."""
        inquiry.id = inquiry.id or self._new_id(inquiry.served_by, self._degraded(inquiry), inquiry.assigned)
        return inquiry.id

    def _degraded(self, inquiry: Inquiry) -> tuple[str, ...]:
        return self._pipeline.choices.degraded(inquiry.served_by, inquiry.firsts)

    def _deadline(self) -> Deadline:
        return Deadline.after(self.request_timeout_s, self._clock)

    def _finish(
        self, inquiry: Inquiry, passages: Sequence[Passage], generation: Generation, *, broken: bool = False
    ) -> Answer:
        attempts, degraded = inquiry.all_attempts, self._degraded(inquiry)
        earlier = generation if isinstance(generation, EarlierAnswer) else None
        answer = Answer(
            id=self._id_of(inquiry),
            question=inquiry.question,
            text=generation.text,
            citations=earlier.citations if earlier else citations(passages, generation),
            served_by=inquiry.served_by,
            degraded_stages=degraded,
            attempts=attempts,
            quality=self._pipeline.choices.expected_quality(inquiry.served_by, inquiry.firsts),
            shared_state=self._pipeline.shared_state(attempts),
            replica=self.replica,
            ms=inquiry.ms,
            finish_reason=BROKEN if broken else generation.finish_reason,
            usage=generation.usage,
            answered=earlier is not None or is_answered(inquiry.served_by[GENERATOR], passages, generation.text),
            simulated=earlier.simulated if earlier else is_simulated(generation.text),
            age_s=earlier.age_s if earlier else None,
            experiment=inquiry.assigned_unless(degraded),
        )
        if inquiry.earlier is not None and not broken:
            inquiry.earlier.keep(answer)
        if self._sinks:
            preferred = {**self._pipeline.choices.preferred, **inquiry.firsts}
            for event in events_of(answer, inquiry, preferred, self._clock.unix_ms(), broken=broken):
                notify(self._sinks, event)
        return answer
