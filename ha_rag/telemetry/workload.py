"""Workload: running totals of one replica's answers, carried in its heartbeats.

Totals, not rates: the difference of two heartbeats covers everything between them, even if some were missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ha_rag.events import Event, QuestionAnswered
from ha_rag.outcomes import Outcome
from ha_rag.telemetry import sketch

MAX_TIERS = 64
"""Tiers whose latencies are counted."""

_SUCCEEDED = (Outcome.OK, Outcome.SLOW)


class Workload:
    """A sink that counts answers.

    One event loop writes; `heartbeat_fields` may be called from any thread and may return slightly old values.
    """

    def __init__(self) -> None:
        self.questions = 0
        self.degraded = 0
        self.broken = 0
        self.served: Counter[str] = Counter()
        self.latencies: Counter[int] = Counter()
        self.tiers: dict[str, Counter[int]] = {}

    def __call__(self, event: Event, /) -> None:
        """Counts an answer."""
        if not isinstance(event, QuestionAnswered):
            return
        self.questions += 1
        self.degraded += bool(event.degraded_stages)
        self.broken += event.broken
        self.latencies[sketch.bucket(event.ms)] += 1
        for attempt in event.attempts:
            if attempt.outcome in _SUCCEEDED and (attempt.circuit in self.tiers or len(self.tiers) < MAX_TIERS):
                self.tiers.setdefault(attempt.circuit, Counter())[sketch.bucket(attempt.ms)] += 1
        for stage, tier in event.served_by.items():
            self.served[f"{stage}.{tier}"] += 1

    def heartbeat_fields(self) -> dict[str, Any]:
        """The heartbeat fields.

        `sketch`: bucket -> number of answers (see `telemetry/sketch.py`); `tier_sketches`: circuit -> the same of its
        tier's successful attempts. `latencies`: as 0.1.0 reads them.
        """
        return {
            "questions": self.questions,
            "degraded": self.degraded,
            "broken": self.broken,
            "served": dict(self.served),
            "sketch": _named(self.latencies),
            "tier_sketches": {name: _named(counts) for name, counts in self.tiers.copy().items()},
            "latencies": _named(sketch.as_0_1_0(self.latencies.copy())),
        }


def _named(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(number): count for number, count in list(counts.items())}
