"""How a component has done so far: a tally that costs next to nothing to keep, and the status it gives when asked."""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.messages import ComponentType, Outcome

REMEMBERED = 256
"""Latencies kept for each component: enough for a p99, and a fixed amount of memory."""

_FAILURES = frozenset({Outcome.FAILED, Outcome.TIMEOUT, Outcome.THROTTLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentStatus:
    """One component, as this process has seen it since it started. Immutable.

    `circuit`: its circuit's name. `state`: what a call would meet: "closed", "open" or "half_open". `shared_state`: how
    well the fleet's belief is known. `calls`: attempts that were sent, however they ended; `failures`: those that
    failed, ran out of time or were throttled; `rejected`: refused by the circuit, not sent. `mean_ms`, `p99_ms`: of the
    last 256 calls that ended by themselves; 0 before there are any. `last_error`: the last failure's text, or "".
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
        """The share of calls that failed, from 0 to 1; 0 where there were none."""
        return self.failures / self.calls if self.calls else 0.0


class CallStats:
    """Counts one component's attempts. One event loop writes; reading from elsewhere gives a slightly old picture."""

    __slots__ = ("_latencies_s", "calls", "failures", "last_error", "rejected")

    def __init__(self) -> None:
        self.calls = 0
        self.failures = 0
        self.rejected = 0
        self.last_error = ""
        self._latencies_s: list[float] = []

    def note(self, outcome: Outcome, elapsed_s: float, reason: str = "") -> None:
        """Takes note of a call that was sent and ended `elapsed_s` later."""
        if outcome is not Outcome.CANCELLED:
            if len(self._latencies_s) < REMEMBERED:
                self._latencies_s.append(elapsed_s)
            else:
                self._latencies_s[self.calls % REMEMBERED] = elapsed_s
        self.calls += 1
        if outcome in _FAILURES:
            self.failures += 1
            self.last_error = reason

    def latency_ms(self) -> tuple[float, float]:
        """The mean and the 99th percentile of the latencies kept, in ms; zeros where there are none."""
        known = sorted(self._latencies_s)
        if not known:
            return 0.0, 0.0
        return 1000 * sum(known) / len(known), 1000 * known[min(len(known) - 1, len(known) * 99 // 100)]
