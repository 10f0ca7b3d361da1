"""CallCounts: how many calls the simulated provider received, when, from whom, and what it did with them."""

from __future__ import annotations

from collections import Counter, deque
from typing import NamedTuple

from ha_rag.clock import Clock
from ha_rag.simulation.faults import Target

REMEMBERED = 20_000


class Arrival(NamedTuple):
    """One call. `monotonic_ms`: by the machine's monotonic clock, which on Linux all its processes share.

    `request`, `traceparent`: what its headers said it is part of, or "".
    """

    target: Target
    outcome: str
    replica: str
    unix_ms: int
    monotonic_ms: float
    request: str = ""
    traceparent: str = ""


class CallCounts:
    """Counts of calls by target and outcome, and the last 20,000 arrivals one by one. For one event loop.

    An outcome is the fault that the call met, or "ok". A call counts when it arrives, not when it ends.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self._outcomes: Counter[tuple[Target, str]] = Counter()
        self._arrivals: deque[Arrival] = deque(maxlen=REMEMBERED)

    def add(self, target: Target, outcome: str, replica: str, request: str = "", traceparent: str = "") -> None:
        """Counts one call. `replica`: who sent it, or ""."""
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
