"""QualityTable: measured figures of plans, from which the best plan is taken among those that are up and fit the time.

A plan is an embedder, a retriever and a reranker. "zero" as the embedder means keyword search alone, "none" as the
reranker that the retriever's order stays. The next tier in a list is not always the best: on Cranfield, keyword search
alone (nDCG@10 0.369) beat a small second embedder (0.342).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from types import MappingProxyType
from typing import Literal

from ha_rag.errors import ConfigurationError
from ha_rag.messages import LAST_RESORTS, AnswerQuality, ComponentType, Quality, QualitySource

Choose = Literal["order", "quality"]
Plan = tuple[str, str, str]
"""Embedder, retriever, reranker."""
Served = tuple[str, str, str, str]
"""A plan, and the generator that answers from what it finds."""
NO_RERANKER = "none"
NO_PASSAGES = LAST_RESORTS[ComponentType.RETRIEVER]
NO_GENERATOR = LAST_RESORTS[ComponentType.GENERATOR]
ANSWER_METRIC = "gold"
"""The share of answers that contain one of the accepted answers."""


@dataclass(frozen=True, slots=True)
class QualityTable:
    """Measured figures: (embedder, retriever, reranker) -> retrieval quality, from 0 to 1. Immutable.

    `metric`: its name, such as "ndcg@10". A plan of two names has no reranker. `answers`: (embedder, retriever,
    reranker, generator) -> the share of answers with the gold words. `seconds`: "<stage>.<tier>" -> how long 95 of 100
    calls took at most. `measured_on`: the name of the data. `source`: "given" by a program, "profile" of this index, or
    "shipped" with ha_rag. Raises ConfigurationError.
    """

    metric: str
    figures: Mapping[tuple[str, str] | Plan, float]
    answers: Mapping[Served, float] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    measured_on: str = ""
    source: QualitySource = "given"

    def __post_init__(self) -> None:
        for names, figure in (*self.figures.items(), *self.answers.items()):
            if not 0 <= _number(figure) <= 1:
                raise ConfigurationError(f"{' + '.join(names)} = {figure!r}: must be from 0 to 1")
        for circuit, seconds in self.seconds.items():
            if not 0 <= _number(seconds) < math.inf:
                raise ConfigurationError(f"{circuit} = {seconds!r}: must be a number of seconds")
        object.__setattr__(self, "figures", MappingProxyType({plan_of(*k): v for k, v in self.figures.items()}))
        object.__setattr__(self, "answers", MappingProxyType(dict(self.answers)))
        object.__setattr__(self, "seconds", MappingProxyType(dict(self.seconds)))

    @classmethod
    def from_rows(cls, metric: str, rows: Iterable[Mapping[str, object]]) -> QualityTable:
        """A table from the output of `rows()`, for example read from JSON. Raises ConfigurationError."""
        try:
            return cls(metric, {_plan_of_row(row): _number(row["figure"]) for row in rows})
        except KeyError as missing:
            raise ConfigurationError(f"a row of the quality table lacks {missing}") from missing

    def rows(self) -> list[dict[str, object]]:
        """One dict per plan, best first, ready for JSON."""
        best_first = sorted(self.figures.items(), key=lambda item: -item[1])
        named = ((plan_of(*names), figure) for names, figure in best_first)
        return [{"embedder": e, "retriever": r, "reranker": k, "figure": figure} for (e, r, k), figure in named]

    def best_plan(
        self,
        embedders: Iterable[str],
        retrievers: Iterable[str],
        rerankers: Iterable[str] = (NO_RERANKER,),
        within_s: float = math.inf,
    ) -> Plan | None:
        """The best measured plan of these tiers that takes at most `within_s` seconds; None if there is none.

        The first listed wins a tie.
        """
        plans = [plan for plan in product(embedders, retrievers, rerankers) if plan in self.figures]
        fitting = (plan for plan in plans if self.takes_s(plan) <= within_s)
        return max(fitting, key=self.figures.__getitem__, default=None)

    def value(
        self,
        embedders: Iterable[str],
        retrievers: Iterable[str],
        rerankers: Iterable[str] = (NO_RERANKER,),
        within_s: float = math.inf,
    ) -> float:
        """The figure of the best plan of these tiers; minus infinity if none is measured and fits."""
        best = self.best_plan(embedders, retrievers, rerankers, within_s)
        return -math.inf if best is None else self.figures[best]

    def rank_generators(self, plan: Plan, generators: Sequence[str], within_s: float = math.inf) -> list[str]:
        """The generators by their answers from what this plan finds, those that take longer than `within_s` last.

        Unmeasured ones keep their place behind the measured ones.
        """

        def rank(name: str) -> tuple[bool, float]:
            return self.takes_s(generator=name) > within_s, -self.answers.get((*plan, name), -math.inf)

        return sorted(generators, key=rank)

    def takes_s(self, plan: Plan | None = None, generator: str | None = None) -> float:
        """Seconds that a plan, or a generator, needs by what was measured; 0 for what was not."""
        names = [] if plan is None else list(zip(("embedder", "retriever", "reranker"), plan, strict=True))
        names += [] if generator is None else [("generator", generator)]
        return sum(self.seconds.get(f"{stage}.{name}", 0.0) for stage, name in names)

    def expected_quality(self, served: Plan, best: Plan | None, generator: str | None = None) -> Quality | None:
        """The expected quality of the plan that served, and of the best plan; None if it was not measured."""
        expected = self.figures.get(served)
        if expected is None or best is None:
            return None
        ceiling = max(expected, self.figures[best])
        answers = None if generator is None else self._expected_answers(served, generator)
        return Quality(expected, ceiling, self.metric, self.measured_on, self.source, answers)

    def _expected_answers(self, served: Plan, generator: str) -> AnswerQuality | None:
        """Without passages nothing is answered from the documents, whoever writes: 0, as for the search."""
        of_tiers = [figure for names, figure in self.answers.items() if names[-1] != NO_GENERATOR]
        if not of_tiers:
            return None
        expected = 0.0 if served[1] == NO_PASSAGES else self.answers.get((*served, generator))
        return None if expected is None else AnswerQuality(expected, max(expected, *of_tiers), ANSWER_METRIC)


def plan_of(embedder: str, retriever: str, reranker: str = NO_RERANKER) -> Plan:
    """A plan of two or three names."""
    return embedder, retriever, reranker


def _plan_of_row(row: Mapping[str, object]) -> Plan:
    return str(row["embedder"]), str(row["retriever"]), str(row.get("reranker", NO_RERANKER))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"figure = {value!r}: must be a number")
    return float(value)
