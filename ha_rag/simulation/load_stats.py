"""LoadStats: counts and latencies of the questions that a load generator asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    """The result of one question. `ms`: measured from when it was due. `why`: the reason of a failure, else "".

    `asked_at_s`: by the asker's monotonic clock. `served_by`: stage -> tier, from the answer.
    """

    question: str
    asked_at_s: float
    ms: float
    answered: bool
    degraded: bool = False
    why: str = ""
    replica: str = ""
    served_by: Mapping[str, str] = field(default_factory=dict)


class LoadStats:
    """Counts and latencies of results. For one event loop. Degraded answers are counted as answered, too."""

    def __init__(self) -> None:
        self.answered = 0
        self.degraded = 0
        self.failures: Counter[str] = Counter()
        self.served_by: Counter[str] = Counter()
        self.replicas: Counter[str] = Counter()
        self.took_s = 0.0
        self._latencies_ms: list[float] = []
        self._failed_ms: list[float] = []

    @property
    def failed(self) -> int:
        """The number of questions without an answer."""
        return self.failures.total()

    @property
    def asked(self) -> int:
        """The number of questions."""
        return self.answered + self.failed

    @property
    def per_s(self) -> float:
        """Answers per second."""
        return self.answered / self.took_s if self.took_s else 0.0

    def add(self, result: QuestionResult) -> None:
        """Counts one result. Latencies of failures are kept separately: a quick refusal is not a quick answer."""
        if not result.answered:
            self.failures[result.why] += 1
            self._failed_ms.append(result.ms)
            return
        self.answered += 1
        self.degraded += result.degraded
        self.replicas[result.replica] += 1
        self.served_by.update(f"{stage}.{tier}" for stage, tier in result.served_by.items())
        self._latencies_ms.append(result.ms)

    def latency_ms(self, share: float) -> float:
        """The latency that `share` (0 to 1) of the answers did not exceed; NaN if there are none."""
        return _quantile(self._latencies_ms, share)

    def failed_ms(self, share: float) -> float:
        """The same for the questions without an answer."""
        return _quantile(self._failed_ms, share)

    def waited_s(self, usual_ms: float) -> float:
        """Seconds by which the questions took longer than `usual_ms`, added up; those without an answer count, too."""
        return sum(max(0.0, ms - usual_ms) for ms in (*self._latencies_ms, *self._failed_ms)) / 1000

    def as_json(self) -> dict[str, object]:
        """All values as JSON; latencies are None if there are none."""
        return {
            "asked": self.asked,
            "answered": self.answered,
            "degraded": self.degraded,
            "failed": self.failed,
            "failures": dict(self.failures),
            "served_by": dict(self.served_by),
            "replicas": dict(self.replicas),
            "per_s": round(self.per_s, 1),
            "ms": _percentiles(self.latency_ms),
            "failed_ms": _percentiles(self.failed_ms),
        }


def _quantile(latencies_ms: list[float], share: float) -> float:
    if not latencies_ms:
        return math.nan
    ordered = sorted(latencies_ms)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _percentiles(latency_ms: Callable[[float], float]) -> dict[str, float | None]:
    named = {f"p{share:g}": latency_ms(share / 100) for share in (50, 95, 99)}
    return {name: None if math.isnan(ms) else round(ms, 2) for name, ms in named.items()}
