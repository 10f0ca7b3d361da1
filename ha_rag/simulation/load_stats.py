"""LoadStats: what became of the questions that were asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionResult:
    """What became of one question. `ms`: from when it was due. `why`: of a failure, a few words; else "".

    `asked_at_s`: by the asker's monotonic clock. `served_by`: stage -> tier, as the answer says.
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
    """Counts of replies, and their latencies. For one event loop. Degraded answers are answers, and counted as both."""

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
        """Questions that got no answer."""
        return self.failures.total()

    @property
    def asked(self) -> int:
        """Questions in all."""
        return self.answered + self.failed

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return self.answered / self.took_s if self.took_s else 0.0

    def add(self, reply: QuestionResult) -> None:
        """Counts one reply. Latencies of answers and of failures are kept apart: a quick refusal is no quick answer."""
        if not reply.answered:
            self.failures[reply.why] += 1
            self._failed_ms.append(reply.ms)
            return
        self.answered += 1
        self.degraded += reply.degraded
        self.replicas[reply.replica] += 1
        self.served_by.update(f"{stage}.{tier}" for stage, tier in reply.served_by.items())
        self._latencies_ms.append(reply.ms)

    def latency_ms(self, share: float) -> float:
        """The latency that `share` (0 to 1) of the answers did not exceed; NaN where there are none."""
        return _quantile(self._latencies_ms, share)

    def failed_ms(self, share: float) -> float:
        """The same of the questions that got no answer."""
        return _quantile(self._failed_ms, share)

    def as_json(self) -> dict[str, object]:
        """All of it in plain values; latencies are None where nothing was answered."""
        return {
            "asked": self.asked,
            "answered": self.answered,
            "degraded": self.degraded,
            "failed": self.failed,
            "failures": dict(self.failures),
            "served_by": dict(self.served_by),
            "replicas": dict(self.replicas),
            "per_s": round(self.per_s, 1),
            "ms": _told(self.latency_ms),
            "failed_ms": _told(self.failed_ms),
        }


def _quantile(latencies_ms: list[float], share: float) -> float:
    if not latencies_ms:
        return math.nan
    ordered = sorted(latencies_ms)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _told(latency_ms: Callable[[float], float]) -> dict[str, float | None]:
    named = {f"p{share:g}": latency_ms(share / 100) for share in (50, 95, 99)}
    return {name: None if math.isnan(ms) else round(ms, 2) for name, ms in named.items()}
