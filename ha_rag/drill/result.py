"""What became of a stage."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ha_rag.simulation.load_stats import LoadStats


@dataclass(frozen=True, slots=True, kw_only=True)
class StageResult:
    """One stage, measured. Times in seconds from the strike, or from the recovery; None where it does not apply.

    `reached`: calls that reached the dead service after the last replica had opened. `opened_s`: from the strike until
    every replica refused. `closed_s`: from the recovery until all was as before. `missed`: what should have come to
    pass and did not.
    """

    name: str
    title: str
    reached: int | None = None
    opened_s: float | None = None
    closed_s: float | None = None
    missed: tuple[str, ...] = ()
    asked: int = 0
    answered: int = 0
    degraded: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every question was answered, and what should open and close did."""
        return self.asked > 0 and self.answered == self.asked and not self.missed

    def as_json(self) -> dict[str, Any]:
        """All of it in plain values."""
        return {**asdict(self), "passed": self.passed}

    def counting(self, tally: LoadStats) -> StageResult:
        """This result with what these replies tell."""
        return replace(
            self,
            asked=tally.asked,
            answered=tally.answered,
            degraded=tally.degraded,
            p50_ms=_plain(tally.latency_ms(0.5)),
            p99_ms=_plain(tally.latency_ms(0.99)),
            failures=dict(tally.failures),
        )


def _plain(ms: float) -> float | None:
    return None if math.isnan(ms) else round(ms, 1)
