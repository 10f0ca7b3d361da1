"""The result of one stage."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ha_rag.simulation.load_stats import LoadStats


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """What was measured in one stage. Immutable. None where a value does not apply.

    opened_s        seconds from the start of the outage until the circuit was open at every replica
    wasted          calls that the broken service received until then (in all, if it did not open)
    reached         calls that it received after that, while the outage lasted: probes
    waited_s        seconds by which the questions of outage and recovery took longer than usual, added up
    closed_s        seconds from the end of the outage until every circuit was closed and shared again
    missed          what should have happened and did not
    asked, answered, degraded, p50_ms, p99_ms
                    questions from the start of the outage to the end of the recovery
    asked_before, answered_before
                    questions between the previous stage and the outage
    failures        reason -> number of questions that were not answered, of both kinds
    """

    name: str
    title: str
    opened_s: float | None = None
    wasted: int | None = None
    reached: int | None = None
    waited_s: float | None = None
    closed_s: float | None = None
    missed: tuple[str, ...] = ()
    asked: int = 0
    answered: int = 0
    degraded: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    asked_before: int = 0
    answered_before: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def lost(self) -> int:
        """The number of questions that were not answered."""
        return self.asked + self.asked_before - self.answered - self.answered_before

    @property
    def passed(self) -> bool:
        """Whether every question was answered, and each circuit opened and closed as it should."""
        return self.asked > 0 and self.lost == 0 and not self.missed

    def as_json(self) -> dict[str, Any]:
        """All fields as plain values, and `passed`."""
        return {**asdict(self), "passed": self.passed}

    def counting(self, before: LoadStats, during: LoadStats, usual_ms: float | None) -> StageResult:
        """This result with the questions asked before the outage, and from then on. `usual_ms`: of a healthy fleet."""
        return replace(
            self,
            waited_s=None if usual_ms is None else round(during.waited_s(usual_ms), 2),
            asked=during.asked,
            answered=during.answered,
            degraded=during.degraded,
            p50_ms=_rounded(during.latency_ms(0.5)),
            p99_ms=_rounded(during.latency_ms(0.99)),
            asked_before=before.asked,
            answered_before=before.answered,
            failures=dict(Counter(before.failures) + Counter(during.failures)),
        )


def _rounded(ms: float) -> float | None:
    return None if math.isnan(ms) else round(ms, 1)
