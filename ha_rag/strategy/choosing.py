"""Choices: which tiers a question is sent to first, by list order or by measured quality.

The figures may be replaced while questions are answered: a replica takes up a new profile without a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from ha_rag.circuit.state import CircuitState
from ha_rag.messages import ComponentType, Quality
from ha_rag.strategy.last_resort import NAMES
from ha_rag.strategy.quality import NO_RERANKER, Plan, QualityTable, plan_of
from ha_rag.strategy.recall import CACHED
from ha_rag.strategy.tier import GuardedTier

C = TypeVar("C")

EMBEDDER, RETRIEVER = ComponentType.EMBEDDER, ComponentType.RETRIEVER
RERANKER, GENERATOR = ComponentType.RERANKER, ComponentType.GENERATOR
ZERO, NONE = NAMES[EMBEDDER], NAMES[RETRIEVER]

NO_FIRSTS: Mapping[str, str] = {}
Names = Mapping[ComponentType, Sequence[str]]
WORSE = "keyword search alone has the better measured quality"
TOO_SLOW = "by its measured time it does not fit in the time left"
UNMEASURED = "its quality was not measured"


class Choices:
    """The order of tiers. `names`: stage -> tier names in list order, the last resort's included.

    `by_quality`: whether figures decide; the list does while there are none, and where they were shipped with ha_rag:
    those were measured on other documents, so they only say what to expect. Belongs to one event loop.
    """

    def __init__(self, names: Names, table: QualityTable | None, *, by_quality: bool) -> None:
        self.names = names
        self.by_quality = by_quality
        self.use(table)

    def use(self, table: QualityTable | None) -> None:
        """Replaces the figures, for the questions that come after."""
        self.table = table
        embedders, retrievers, rerankers = (self.names[stage] for stage in (EMBEDDER, RETRIEVER, RERANKER))
        self.best = None if table is None else table.best_plan(embedders, retrievers, rerankers)
        self.figures = table if table is not None and self.by_quality and table.source != "shipped" else None
        firsts = {str(stage): names[0] for stage, names in self.names.items()}
        if self.figures is not None and self.best is not None:
            written = self.names[GENERATOR][:-1] or self.names[GENERATOR]  # a list of passages is no answer to prefer
            generator = self.figures.rank_generators(self.best, written)[0]
            stages = (EMBEDDER, RETRIEVER, RERANKER, GENERATOR)
            firsts |= dict(zip(map(str, stages), (*self.best, generator), strict=True))
        if len(self.names[RERANKER]) == 1:
            del firsts[RERANKER]  # without a reranker there is no such stage
        self.preferred: dict[str, str] = firsts

    def degraded(self, served_by: Mapping[str, str], firsts: Mapping[str, str] = NO_FIRSTS) -> tuple[str, ...]:
        """The stages not served by their preferred tier. `firsts`: an experiment's own preference for some stages."""
        preferred = {**self.preferred, **firsts} if firsts else self.preferred
        return tuple(stage for stage, tier in served_by.items() if tier != preferred[stage])

    def expected_quality(self, served_by: Mapping[str, str], firsts: Mapping[str, str] = NO_FIRSTS) -> Quality | None:
        """The measured quality of the plan that served and of the best plan; None without figures.

        An earlier answer was made by the preferred tiers, since no other is kept, whoever searched for it now.
        `firsts`: an experiment's own preference for some stages.
        """
        if self.table is None:
            return None
        served = {**self.preferred, **firsts} if served_by.get(GENERATOR) == CACHED else served_by
        plan = plan_of(served[EMBEDDER], served[RETRIEVER], served.get(RERANKER, NO_RERANKER))
        return self.table.expected_quality(plan, self.best, served.get(GENERATOR))

    def reserved_s(self, generators: Sequence[GuardedTier[C]], left_s: float) -> float:
        """Seconds to keep for the generator: what the best one that is up takes, if it fits at all."""
        if self.figures is None or self.best is None:
            return 0.0
        ranked = self.figures.rank_generators(self.best, up(generators), left_s)
        takes_s = self.figures.takes_s(generator=ranked[0]) if ranked else 0.0
        return takes_s if takes_s < left_s else 0.0

    def embedders(
        self, tiers: Sequence[GuardedTier[C]], retrievers: Sequence[str], rerankers: Sequence[str], within_s: float
    ) -> tuple[list[GuardedTier[C]], list[tuple[GuardedTier[C], str]]]:
        """The embedders to call, the best plan's first, and those to leave out, each with the reason.

        `retrievers`, `rerankers`: those that are up. `within_s`: seconds for the whole plan.
        """
        table = self.figures
        if table is None:
            return list(tiers), []
        lists = ([*retrievers, NONE], [*rerankers, NO_RERANKER])
        values = {name: table.value([name], *lists, within_s) for name in (*(tier.name for tier in tiers), ZERO)}
        if table.best_plan([ZERO], *lists, within_s) is None:
            return sorted(tiers, key=lambda tier: -values[tier.name]), []
        called = [tier for tier in tiers if values[tier.name] >= values[ZERO]]
        left_out = [(tier, self._why(tier, lists, values)) for tier in tiers if tier not in called]
        return sorted(called, key=lambda tier: -values[tier.name]), left_out

    def _why(self, tier: GuardedTier[C], lists: tuple[list[str], list[str]], values: Mapping[str, float]) -> str:
        if values[tier.name] >= 0 or self.figures is None:
            return WORSE
        return UNMEASURED if self.figures.best_plan([tier.name], *lists) is None else TOO_SLOW

    def retrievers(
        self, tiers: Sequence[GuardedTier[C]], embedder: str | None, rerankers: Sequence[str], within_s: float
    ) -> list[GuardedTier[C]] | None:
        """The retrievers by their quality with this embedder, those that do not fit last; None for list order."""
        table = self.figures
        if table is None or not embedder:
            return None
        names = [*rerankers, NO_RERANKER]
        return sorted(
            tiers,
            key=lambda tier: (
                -table.value([embedder], [tier.name], names, within_s),
                -table.value([embedder], [tier.name], names),
            ),
        )

    def rerankers(
        self, tiers: Sequence[GuardedTier[C]], embedder: str | None, retriever: str | None
    ) -> list[GuardedTier[C]] | None:
        """The rerankers that are better than none with this embedder and retriever, the best first; None for all."""
        table = self.figures
        if table is None or not embedder or not retriever:
            return None
        kept = table.value([embedder], [retriever])
        values = {tier.name: table.value([embedder], [retriever], [tier.name]) for tier in tiers}
        return sorted((tier for tier in tiers if values[tier.name] > kept), key=lambda tier: -values[tier.name])

    def generators(
        self, tiers: Sequence[GuardedTier[C]], plan: Plan | None, within_s: float
    ) -> list[GuardedTier[C]] | None:
        """The generators by their answers, those that do not fit in the time last; None for list order."""
        table = self.figures
        if table is None or plan is None:
            return None
        by_name = {tier.name: tier for tier in tiers}
        return [by_name[name] for name in table.rank_generators(plan, list(by_name), within_s)]


def up(tiers: Iterable[GuardedTier[C]]) -> list[str]:
    """The tiers that are up. A half-open circuit counts as up, because it needs a probe."""
    return [tier.name for tier in tiers if tier.breaker.state is not CircuitState.OPEN]
