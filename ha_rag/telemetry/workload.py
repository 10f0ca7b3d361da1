"""Workload: running totals of one replica's answers, carried in its heartbeats.

Totals, not rates: the difference of two heartbeats covers everything between them, even if some were missed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ha_rag.events import Event, QuestionAnswered
from ha_rag.telemetry import histogram


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

    def __call__(self, event: Event, /) -> None:
        """Counts an answer."""
        if not isinstance(event, QuestionAnswered):
            return
        self.questions += 1
        self.degraded += bool(event.degraded_stages)
        self.broken += event.broken
        self.latencies[histogram.bucket(event.ms)] += 1
        for stage, tier in event.served_by.items():
            self.served[f"{stage}.{tier}"] += 1

    def heartbeat_fields(self) -> dict[str, Any]:
        """The heartbeat fields. `latencies`: bucket -> number of answers (see `histogram`)."""
        return {
            "questions": self.questions,
            "degraded": self.degraded,
            "broken": self.broken,
            "served": dict(self.served),
            "latencies": {str(number): count for number, count in self.latencies.items()},
        }
