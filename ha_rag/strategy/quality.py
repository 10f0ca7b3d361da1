"""QualityTable: the best plan among those that are up, by measured retrieval quality.

A plan is an (embedder, retriever) pair; "zero" as the embedder means keyword search alone. The next tier in a list is
not always the best: on Cranfield, keyword search alone (nDCG@10 0.369) beat a small second embedder (0.342).
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
    """Measured figures: (embedder, retriever) -> retrieval quality, from 0 to 1. Immutable.

    `metric`: its name, such as "ndcg@10". Raises ConfigurationError.
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
        """A table from the output of `rows()`, for example read from JSON. Raises ConfigurationError."""
        try:
            return cls(metric, {(str(row["embedder"]), str(row["retriever"])): _number(row["figure"]) for row in rows})
        except KeyError as missing:
            raise ConfigurationError(f"a row of the quality table lacks {missing}") from missing

    def rows(self) -> list[dict[str, object]]:
        """One dict per plan, best first, ready for JSON."""
        best_first = sorted(self.figures.items(), key=lambda item: -item[1])
        return [{"embedder": e, "retriever": r, "figure": figure} for (e, r), figure in best_first]

    def best_plan(self, embedders: Iterable[str], retrievers: Iterable[str]) -> Plan | None:
        """The best measured plan of these tiers; None if none was measured. The first listed wins a tie."""
        names = tuple(retrievers)
        plans = [(e, r) for e in embedders for r in names if (e, r) in self.figures]
        return max(plans, key=self.figures.__getitem__, default=None)

    def rank_embedders(self, embedders: Sequence[str], retrievers: Iterable[str]) -> list[str]:
        """The embedders by their best plan with these retrievers; unmeasured ones last, in the given order."""
        names = tuple(retrievers)
        return sorted(embedders, key=lambda e: -max((self._figure(e, r) for r in names), default=-math.inf))

    def rank_retrievers(self, embedder: str, retrievers: Sequence[str]) -> list[str]:
        """The retrievers by their quality with this embedder; unmeasured ones last, in the given order."""
        return sorted(retrievers, key=lambda r: -self._figure(embedder, r))

    def expected_quality(self, served: Plan, best: Plan | None) -> Quality | None:
        """The expected quality of the plan that served, and of the best plan; None if it was not measured."""
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
