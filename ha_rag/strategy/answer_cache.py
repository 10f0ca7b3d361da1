"""AnswerCache: the last good answer to a question, asked after every service that writes answers has failed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock, SystemClock
from ha_rag.interfaces import Generator
from ha_rag.messages import Answer, ComponentType, EarlierAnswer
from ha_rag.strategy.cache_access import CacheAccess
from ha_rag.strategy.cached_forms import digest_of, read_answer, written_answer
from ha_rag.strategy.last_words import after_notice, earlier_notice
from ha_rag.strategy.recall import CACHED, Recalled, is_service, recalled
from ha_rag.strategy.streaming import OpenStream
from ha_rag.strategy.tier import C, GuardedTier

KEPT_AGAIN_S = 60.0
"""A replica does not store an answer to the same question again within this time."""

KEPT_LATELY = 4096
"""Questions whose answer was stored lately, as far as a replica remembers them."""


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """What an answer depends on: whoever asks with the same key may be given the same answer.

    `corpus`: the version of the documents. `generator`: what identifies the preferred generator. `wishes`: the asker's
    system messages. `arm`: of an experiment, "" without one. Whatever else comes to limit or to steer an answer belongs
    in here.
    """

    question: str
    top_k: int
    wishes: str
    corpus: str
    generator: str
    arm: str = ""

    @property
    def digest(self) -> str:
        """The key's digest; the question cannot be read from it."""
        arm = (self.arm,) if self.arm else ()
        return digest_of("answer", self.question, str(self.top_k), self.wishes, self.corpus, self.generator, *arm)


class AnswerCache:
    """The cache of good answers.

    `corpus`: the current version of the documents, "" if it is unknown: then no answer is kept or found. `identity`:
    identifies a generator, given by its tier's name, and its settings.
    """

    def __init__(
        self,
        access: CacheAccess,
        *,
        corpus: Callable[[], str],
        identity: Callable[[str], str],
        clock: Clock | None = None,
    ) -> None:
        self.access = access
        self.corpus = corpus
        self.now_s = (clock or SystemClock()).monotonic_s
        self._identity = identity
        self._kept_s: OrderedDict[str, float] = OrderedDict()

    def of(
        self,
        question: str,
        top_k: int,
        wishes: str,
        tiers: Sequence[GuardedTier[Generator]],
        preferred: str,
        arm: str = "",
    ) -> AnswerRecall | None:
        """The access for one question, from before its passages are searched. None where it cannot serve.

        `tiers`: the generators. `preferred`: the name of the one whose answers are not degraded; it must be a service:
        otherwise no answer is worth keeping. `arm`: the experiment's arm that answers: each has answers of its own.
        """
        corpus = self.corpus()
        services = [tier for tier in tiers if is_service(tier)]
        if not corpus or preferred not in {tier.name for tier in services}:
            return None
        key = AnswerKey(question, top_k, wishes, corpus, self._identity(preferred), arm)
        return AnswerRecall(self, key, services)

    def keep(self, digest: str, answer: Answer) -> None:
        """Keeps an answer, unless one with the same key was kept lately."""
        now_s = self.now_s()
        if now_s - self._kept_s.get(digest, -KEPT_AGAIN_S) < KEPT_AGAIN_S:
            return
        if not self.access.keep(digest, written_answer(answer)):
            return
        self._kept_s[digest] = now_s
        self._kept_s.move_to_end(digest)
        if len(self._kept_s) > KEPT_LATELY:
            self._kept_s.popitem(last=False)


class AnswerRecall:
    """Recall of one question's last good answer. Belongs to one question. `services`: the tiers that are services.

    It is asked once all of these are out, in whatever order they are called: each did not answer, or has an open
    circuit when it is a tier's turn that is no service.
    """

    def __init__(self, cache: AnswerCache, key: AnswerKey, services: Sequence[GuardedTier[Generator]]) -> None:
        self._cache = cache
        self._key = key
        self._left = {tier.circuit: tier for tier in services}

    async def before(self, tier: GuardedTier[C]) -> Recalled[EarlierAnswer] | None:
        if not self._left or is_service(tier):
            return None
        if any(each.breaker.state is not CircuitState.OPEN for each in self._left.values()):
            return None
        self._left.clear()
        return await self._find()

    async def after(self, tier: GuardedTier[C]) -> Recalled[EarlierAnswer] | None:
        if self._left.pop(tier.circuit, None) is None or self._left:
            return None
        return await self._find()

    async def _find(self) -> Recalled[EarlierAnswer] | None:
        began_s = self._cache.now_s()
        found = await self._cache.access.find(self._key.digest, read_answer)
        if found is None:
            return None
        noticed = replace(found, text=after_notice(earlier_notice(found.age_s), found.text))
        return recalled(ComponentType.GENERATOR, noticed, CACHED, self._cache.now_s() - began_s)

    def keep(self, answer: Answer) -> None:
        """Keeps a good answer: nothing degraded, refused or incomplete, and the documents are still the same."""
        if answer.degraded or answer.truncated or not answer.answered or not answer.citations:
            return
        if self._cache.corpus() == self._key.corpus:
            self._cache.keep(self._key.digest, answer)


class StreamRecall:
    """An AnswerRecall for streams: the whole answer is the stream's first piece."""

    def __init__(self, recall: AnswerRecall) -> None:
        self._recall = recall

    async def before(self, tier: GuardedTier[C]) -> Recalled[OpenStream] | None:
        return _streamed(await self._recall.before(tier))

    async def after(self, tier: GuardedTier[C]) -> Recalled[OpenStream] | None:
        return _streamed(await self._recall.after(tier))


def _streamed(found: Recalled[EarlierAnswer] | None) -> Recalled[OpenStream] | None:
    return None if found is None else Recalled(OpenStream.of_earlier(found.reply), found.by, found.attempt)
