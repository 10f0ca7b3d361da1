"""Lab: one replica or more, with components that fail on command and a clock that is advanced by hand.

The pipeline and its circuits are the real ones; with the manual clock, nobody has to wait for a recovery timeout.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import zip_longest
from types import TracebackType
from typing import Self

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.clock import ManualClock
from ha_rag.components.embedders.cached import CachedEmbedder, MemoryEmbeddingCache, RememberingEmbedder
from ha_rag.components.embedders.scripted import PrimaryEmbedder, SecondaryEmbedder
from ha_rag.components.generators.scripted import FallbackGenerator, PrimaryGenerator
from ha_rag.components.retrievers.scripted import PrimaryRetriever, ReducedRetriever
from ha_rag.components.script import Script
from ha_rag.errors import ServiceError
from ha_rag.ledger.store.memory import MemoryLedger
from ha_rag.ledger.store.memory_cache import MemoryCacheStore
from ha_rag.messages import Answer
from ha_rag.strategy.answer_cache import AnswerCache
from ha_rag.strategy.cache_access import CacheAccess
from ha_rag.strategy.quality import QualityTable
from ha_rag.strategy.status import ComponentStatus
from ha_rag.strategy.strategy import FallbackStrategy
from ha_rag.strategy.tier import Tier
from ha_rag.system import HighAvailabilityRAG

POLICY = CircuitPolicy(
    min_samples=3,
    failure_threshold=0.5,
    window_s=60.0,
    recovery_timeout_s=10.0,
    recovery_backoff=2.0,
    probe_successes=2,
)
DOCUMENTS = {
    "opening.md": "A circuit opens when enough calls were made and at least half of them failed.",
    "recovery.md": "A circuit recovers by itself: after its recovery timeout one call is let through as a probe. "
    "When the probes succeed, the circuit closes.",
    "fallback.md": "While a circuit is open, the next tier answers, and the answer says that it is degraded.",
    "sharing.md": "Replicas share the state of a circuit, so that what one of them learns protects them all.",
}
CIRCUITS = (
    "embedder.primary", "embedder.secondary", "embedder.cached",
    "retriever.primary", "retriever.reduced", "generator.primary", "generator.fallback",
)  # fmt: skip
SHARED = "embedder.primary"
"""The circuit that a lesson with several replicas is about."""
SYNC_TIMEOUT_S = 5.0


class Switch(Script):
    """Breaks and repairs a component. `down`: whether its calls fail now."""

    def __init__(self) -> None:
        super().__init__()
        self.down = False

    def play(self) -> None:
        super().play()
        if self.down:
            raise ServiceError("failed on purpose")


class LocalFallback(FallbackGenerator):
    """The fallback generator is inside the process, as `extractive` is: a last good answer comes before it."""

    in_process = True


class Lab:
    """Used as `with Lab(replicas)`, from one thread. `replicas`: how many; they share their circuits. `quality`:
    measured figures that choose the tiers, or None. `caches`: whether good answers are kept for when all is out.
    """

    def __init__(self, replicas: int = 1, quality: QualityTable | None = None, *, caches: bool = False) -> None:
        self._runner = asyncio.Runner()
        self._clock = ManualClock()
        self._switches = {circuit: Switch() for circuit in CIRCUITS}
        shared = MemoryLedger(self._clock)
        self._circuits = [
            CircuitRegistry((lambda: shared) if replicas > 1 else None, replica=f"replica-{number}", clock=self._clock)
            for number in range(1, replicas + 1)
        ]
        self._caches = [self._answer_cache() for _ in self._circuits] if caches else []
        self._rags = [
            HighAvailabilityRAG(strategy(self._switches, quality), circuits, answer_cache=cache)
            for circuits, cache in zip_longest(self._circuits, self._caches)
        ]

    def __enter__(self) -> Self:
        for circuits in self._circuits:
            self._runner.run(circuits.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for cache in self._caches:
            self._runner.run(cache.access.aclose())
        for rag, circuits in zip(self._rags, self._circuits, strict=True):
            self._runner.run(rag.aclose())
            self._runner.run(circuits.__aexit__(None, None, None))
        self._runner.close()

    # ---- for lessons ------------------------------------------------------------------------------------------------

    def fail(self, *circuits: str) -> None:
        """From now on, the components of these circuits fail."""
        for circuit in circuits:
            self._switches[circuit].down = True

    def repair(self, *circuits: str) -> None:
        """From now on, the components of these circuits work again."""
        for circuit in circuits:
            self._switches[circuit].down = False

    def advance(self, seconds: float) -> None:
        """Advances the clock."""
        self._clock.advance(seconds)

    def ask(self, question: str, replica: int = 1) -> Answer:
        """Asks that replica; returns once all replicas agree on the circuit that they share."""
        return self._runner.run(self._ask(question, replica))

    def health(self, replica: int = 1) -> dict[str, ComponentStatus]:
        """`get_system_health()` of that replica."""
        return self._rags[replica - 1].get_system_health()

    # ---- internals --------------------------------------------------------------------------------------------------

    def _answer_cache(self) -> AnswerCache:
        access = CacheAccess(MemoryCacheStore(clock=self._clock), max_bytes=100_000, clock=self._clock)
        return AnswerCache(access, corpus=lambda: "lesson", identity=str, clock=self._clock)

    async def _ask(self, question: str, replica: int) -> Answer:
        answer = await self._rags[replica - 1].query(question)
        async with asyncio.timeout(SYNC_TIMEOUT_S):
            while len(self._rags) > 1 and not await self._in_sync():
                await asyncio.sleep(0.001)
        return answer

    async def _in_sync(self) -> bool:
        """Whether every call has been reported to the ledger, and every replica has the resulting state."""
        shared = next(report for report in await self._circuits[0].circuits() if report.name == SHARED)
        statuses = [rag.get_system_health()[SHARED] for rag in self._rags]
        reported = shared.state != "closed" or shared.samples == sum(status.calls for status in statuses)
        return reported and all(status.state == shared.state for status in statuses)


def strategy(scripts: Mapping[str, Script], quality: QualityTable | None = None) -> FallbackStrategy:
    """The tiers of the lessons. `scripts`: circuit -> the script by which its component fails. `quality`: as in Lab."""
    s, cache = scripts, MemoryEmbeddingCache()
    primary = RememberingEmbedder(PrimaryEmbedder(script=s["embedder.primary"]), cache)
    return FallbackStrategy(
        embedders=[
            Tier("primary", primary, policy=POLICY),
            Tier("secondary", SecondaryEmbedder(script=s["embedder.secondary"]), policy=POLICY),
            Tier("cached", CachedEmbedder(cache, script=s["embedder.cached"]), policy=POLICY),
        ],
        retrievers=[
            Tier("primary", PrimaryRetriever(DOCUMENTS, script=s["retriever.primary"]), policy=POLICY),
            Tier("reduced", ReducedRetriever(DOCUMENTS, script=s["retriever.reduced"]), policy=POLICY),
        ],
        generators=[
            Tier("primary", PrimaryGenerator(script=s["generator.primary"]), policy=POLICY),
            Tier("fallback", LocalFallback(script=s["generator.fallback"]), policy=POLICY),
        ],
        quality=quality,
    )
