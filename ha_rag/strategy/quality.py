"""Which plan is best among those that are up, by measured retrieval quality.

A plan is an (embedder, retriever) pair; "zero" as the embedder means searching by words alone. The next tier in a list
is not always the best one: on Cranfield, words alone (nDCG@10 0.369) beat a small second embedder (0.342).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from ha_rag.errors import ConfigurationError
from ha_rag.messages import Quality

Choose = Literal["order", "quality"]
Plan = tuple[str, str]


@dataclass(frozen=True, slots=True)
class QualityTable:
    """Measured figures: (embedder, retriever) -> how well that plan finds, from 0 to 1. Immutable.

    `metric`: what was measured, such as "ndcg@10". Raises ConfigurationError.
    """

    metric: str
    figures: Mapping[Plan, float]

    def __post_init__(self) -> None:
        for (embedder, retriever), figure in self.figures.items():
            if not 0 <= _number(figure) <= 1:
                raise ConfigurationError(f"{embedder} + {retriever} = {figure!r}: must be from 0 to 1")
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))

    @classmethod
    def from_rows(cls, metric: str, rows: Iterable[Mapping[str, object]]) -> QualityTable:
        """A table from what `rows()` gave, such as was read from a JSON file. Raises ConfigurationError."""
        try:
            return cls(metric, {(str(row["embedder"]), str(row["retriever"])): _number(row["figure"]) for row in rows})
        except KeyError as missing:
            raise ConfigurationError(f"a row of the quality table lacks {missing}") from missing

    def rows(self) -> list[dict[str, object]]:
        """One dict a plan, best first, ready for JSON."""
        best_first = sorted(self.figures.items(), key=lambda item: -item[1])
        return [{"embedder": e, "retriever": r, "figure": figure} for (e, r), figure in best_first]

    def best_plan(self, embedders: Iterable[str], retrievers: Iterable[str]) -> Plan | None:
        """The best measured plan made of these; None where none of them was measured. The first wins a tie."""
        names = tuple(retrievers)
        plans = [(e, r) for e in embedders for r in names if (e, r) in self.figures]
        return max(plans, key=self.figures.__getitem__, default=None)

    def rank_embedders(self, embedders: Sequence[str], retrievers: Iterable[str]) -> list[str]:
        """The embedders, by the best plan each can still be part of; those not measured last, in their order."""
        names = tuple(retrievers)
        return sorted(embedders, key=lambda e: -max((self._figure(e, r) for r in names), default=-math.inf))

    def rank_retrievers(self, embedder: str, retrievers: Sequence[str]) -> list[str]:
        """The retrievers, by what each makes of this embedder; those not measured last, in their order."""
        return sorted(retrievers, key=lambda r: -self._figure(embedder, r))

    def judged(self, served: Plan, best: Plan | None) -> Quality | None:
        """What to expect of the plan that served, beside the best there is; None where it was not measured."""
        expected = self.figures.get(served)
        if expected is None or best is None:
            return None
        return Quality(expected, max(expected, self.figures[best]), self.metric)

    def _figure(self, embedder: str, retriever: str) -> float:
        return self.figures.get((embedder, retriever), -math.inf)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConfigurationError(f"figure = {value!r}: must be a number")
    return float(value)
