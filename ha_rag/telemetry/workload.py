"""Workload: what one replica has answered since it started, as running totals that its heartbeats carry.

Totals, not rates: whoever hears two heartbeats knows what happened between them, however many it missed.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from ha_rag.events import Event, QuestionAnswered
from ha_rag.telemetry import histogram


class Workload:
    """A sink that counts answers.

    One event loop writes; `told` may be read from any thread, and is then a moment old.
    """

    def __init__(self) -> None:
        self.questions = 0
        self.degraded = 0
        self.broken = 0
        self.served: Counter[str] = Counter()
        self.latencies: Counter[int] = Counter()

    def __call__(self, event: Event, /) -> None:
        """Takes note of an answer."""
        if not isinstance(event, QuestionAnswered):
            return
        self.questions += 1
        self.degraded += bool(event.degraded_stages)
        self.broken += event.broken
        self.latencies[histogram.bucket(event.ms)] += 1
        for stage, tier in event.served_by.items():
            self.served[f"{stage}.{tier}"] += 1

    def told(self) -> dict[str, Any]:
        """What a heartbeat says of it. `latencies`: bucket -> answers (`histogram`)."""
        return {
            "questions": self.questions,
            "degraded": self.degraded,
            "broken": self.broken,
            "served": dict(self.served),
            "latencies": {str(number): count for number, count in self.latencies.items()},
        }
