"""CallCounts: the calls that the simulated provider received: when, from whom, and with which outcome."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from ha_rag.clock import Clock
from ha_rag.simulation.faults import Target

REMEMBERED = 20_000


class Arrival(NamedTuple):
    """One call. `monotonic_ms`: by the monotonic clock, which on Linux is the same for all processes of a machine.

    `request`, `traceparent`: the request id and trace context in its headers, or "".
    """

    target: Target
    outcome: str
    replica: str
    unix_ms: int
    monotonic_ms: float
    request: str = ""
    traceparent: str = ""


class CallCounts:
    """Counts of calls by target and outcome, and the last 20,000 arrivals. For one event loop.

    The outcome is the fault that affected the call, or "ok". A call is counted when it arrives, not when it ends.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Resets all counts and arrivals."""
        self._outcomes: Counter[tuple[Target, str]] = Counter()
        self._arrivals: deque[Arrival] = deque(maxlen=REMEMBERED)

    def add(self, target: Target, outcome: str, replica: str, request: str = "", traceparent: str = "") -> None:
        """Counts one call. `replica`: the name of its sender, or ""."""
        self._outcomes[target, outcome] += 1
        now_ms = self._clock.monotonic_s() * 1000
        self._arrivals.append(Arrival(target, outcome, replica, self._clock.unix_ms(), now_ms, request, traceparent))

    def as_json(self, last: int) -> dict[str, object]:
        """All counts, and the `last` arrivals, oldest first."""
        arrivals = list(self._arrivals)[-last:] if last else []
        return {
            **{target.value: self._of(target) for target in Target},
            "arrivals": [arrival._asdict() for arrival in arrivals],
        }

    def _of(self, target: Target) -> dict[str, object]:
        outcomes = {outcome: n for (of, outcome), n in self._outcomes.items() if of == target}
        return {"received": sum(outcomes.values()), "outcomes": outcomes}
