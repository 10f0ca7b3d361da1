"""Statistics of a component's calls, and the ComponentStatus made from them on request."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.messages import ComponentType
from ha_rag.outcomes import Outcome

LATENCIES_KEPT = 256
"""Latencies kept per component: enough for a p99, in a fixed amount of memory."""

_FAILURES = frozenset({Outcome.FAILED, Outcome.TIMEOUT, Outcome.THROTTLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """One component's statistics since this process started. Immutable.

    `circuit`: its circuit's name. `state`: "closed", "open" or "half_open". `shared_state`: how current the cached
    shared state is: "fresh", "stale" or "local". `calls`: attempts that were sent; `failures`: those that failed, timed
    out or were throttled; `rejected`: refused by the circuit, so not sent. `mean_ms`, `p99_ms`: latency of the last 256
    calls that were not cancelled; 0 before there are any. `last_error`: the last failure's text, or "".
    """

    circuit: str
    component_type: ComponentType
    name: str
    state: str
    shared_state: str
    calls: int = 0
    failures: int = 0
    rejected: int = 0
    mean_ms: float = 0.0
    p99_ms: float = 0.0
    last_error: str = ""

    def get_failure_rate(self) -> float:
        """The share of calls that failed, from 0 to 1; 0 if there were none."""
        return self.failures / self.calls if self.calls else 0.0


class CallStats:
    """Counts one component's attempts. One event loop writes; other threads may read slightly old values."""

    __slots__ = ("_latencies_s", "calls", "failures", "last_error", "rejected")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.rejected = 0
        self.last_error = ""
        self._latencies_s: list[float] = []

    def note(self, outcome: Outcome, elapsed_s: float, reason: str = "") -> None:
        """Counts a call that ended after `elapsed_s` seconds."""
        if outcome is not Outcome.CANCELLED:
            if len(self._latencies_s) < LATENCIES_KEPT:
                self._latencies_s.append(elapsed_s)
            else:
                self._latencies_s[self.calls % LATENCIES_KEPT] = elapsed_s
        self.calls += 1
        if outcome in _FAILURES:
            self.failures += 1
            self.last_error = reason

    def latency_ms(self) -> tuple[float, float]:
        """Mean and 99th percentile of the kept latencies, in ms; zeros if there are none."""
        known = sorted(self._latencies_s)
        if not known:
            return 0.0, 0.0
        return 1000 * sum(known) / len(known), 1000 * known[min(len(known) - 1, len(known) * 99 // 100)]
