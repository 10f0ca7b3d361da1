"""LocalTrip: the local breaker of a shared circuit, and whether it applies to this replica's calls.

If the local breaker trips while the fleet's circuit is closed, the replica waits `FLEET_WAIT_S` for the fleet's
decision, and then refuses calls by itself. If the ledger is unreachable, the local breaker takes over the last known
state of the fleet's circuit, once per epoch, and probes alone. A local trip never changes the fleet's epoch, so an
isolated replica cannot overrule the fleet. Not locked: the view holds the lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ha_rag.circuit.rules import Decision, Tally
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.circuit.terms import Terms
from ha_rag.ledger.view.local_breaker import LocalBreaker
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.outcomes import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

FLEET_WAIT_S = 0.1
"""How long a replica whose local breaker tripped waits for the fleet's decision."""


@dataclass(slots=True)
class _FleetWait:
    """The fleet's decision that is awaited: until when, and on the batch of which number."""

    until_s: float
    batch: int


class LocalTrip:
    """The local breaker, and whether it applies. Times in monotonic seconds.

    `hold_s`: after the fleet's circuit has recovered, it counts outcomes but does not trip for this long.
    """

    def __init__(self, breaker: LocalBreaker) -> None:
        self.breaker = breaker
        self.closed_at_s = -math.inf
        self.hold_s = breaker.terms.blip_ms / 1000
        self._awaited: _FleetWait | None = None
        self._taken_over: int | None = None

    def set_terms(self, terms: Terms, probes: int) -> None:
        """Decides by other terms from now on."""
        self.breaker.set_terms(terms, probes)
        self.hold_s = terms.blip_ms / 1000

    @property
    def epoch(self) -> int:
        """The local breaker's epoch."""
        return self.breaker.circuit.epoch

    @property
    def is_closed(self) -> bool:
        """Whether the local breaker is closed."""
        return self.breaker.circuit.state is CLOSED

    @property
    def has_streak(self) -> bool:
        """Whether the local breaker has a streak of failed or slow calls."""
        return self.breaker.circuit.streak.bad > 0 or self.breaker.circuit.slow_streak.bad > 0

    def awaits_fleet(self, now_s: float) -> bool:
        """Whether it has tripped and still waits for the fleet's decision."""
        return self._awaited is not None and now_s < self._awaited.until_s

    def state(self, now_s: float) -> CircuitState:
        """The state that applies to this replica's calls."""
        if self.is_closed or self.awaits_fleet(now_s):
            return CLOSED
        return self.breaker.read(ms(now_s)).state

    def until_s(self, now_s: float) -> float:
        """When a probe may be made; infinity: unknown."""
        wait_ms = self.breaker.wait_ms(ms(now_s))
        return math.inf if wait_ms == UNKNOWN else now_s + wait_ms / 1000

    def probe(self, now_s: float, lease_ms: int) -> Grant | None:
        """Grants a local probe for `lease_ms`, if one may be made now."""
        local = self.breaker.lease(ms(now_s), lease_ms)
        if local is None:
            return None
        until_s = local.until_ms / 1000
        return Grant(local.token, until_s, self.epoch, True, until_s)

    def read(self, now_s: float) -> Snapshot:
        """The local breaker's circuit, in ms of its own clock."""
        return self.breaker.read(ms(now_s))

    def report(self, now_s: float) -> Snapshot:
        """The same, for people."""
        return self.breaker.report(ms(now_s))

    def observe(self, now_s: float, tallies: list[Tally]) -> None:
        """Counts without opening while the fleet's circuit is in shadow mode, whose quorum still needs this vote."""
        if self.is_closed and tallies:
            self.breaker.observe(ms(now_s), tallies)

    def evaluate(self, now_s: float, tallies: list[Tally], throttled_ms: int = 0) -> Decision | None:
        """Passes counts to the local breaker. Returns its decision if it made a transition."""
        if not self.is_closed or not (tallies or throttled_ms):
            return None
        decision = self.breaker.record(ms(now_s), tallies, throttled_ms)
        return decision if decision.events else None

    def settle(self, now_s: float, token: str, outcome: Outcome, throttled_ms: int, took_ms: int = 0) -> Decision:
        """Ends a local probe."""
        decision = self.breaker.settle(ms(now_s), token, outcome, throttled_ms, took_ms)
        if decision.events and self.is_closed:
            self.closed_at_s = now_s
        return decision

    def await_fleet(self, now_s: float, batch: int) -> None:
        """Delays the local trip until the fleet has evaluated batch number `batch`, at most `FLEET_WAIT_S`."""
        self._awaited = _FleetWait(now_s + FLEET_WAIT_S, batch)

    def batch_evaluated(self, batch: int) -> None:
        """The fleet has evaluated batch number `batch` and stays closed: ends the wait for it."""
        if self._awaited is not None and batch >= self._awaited.batch:
            self._awaited = None

    def stop_waiting(self) -> None:
        """Applies the local trip without waiting, since the fleet cannot decide."""
        self._awaited = None

    def lacks_samples(self, now_s: float) -> bool:
        """Whether only `min_samples` keeps the local breaker closed; then even a success may open it."""
        return self.is_closed and self.breaker.lacks_samples(ms(now_s))

    def reset(self, closed_at_s: float = -math.inf) -> None:
        """Resets the local breaker. `closed_at_s`: when probes closed the fleet's; no trip for `hold_s` after."""
        self.breaker.reset(0 if closed_at_s == -math.inf else ms(closed_at_s + self.hold_s))
        self._awaited = None

    def take_over(self, now_s: float, fleet: Snapshot) -> None:
        """Takes over the fleet's last known state, to probe it locally; once per epoch of the fleet."""
        if self._taken_over == fleet.epoch:
            return
        self._taken_over = fleet.epoch
        self.stop_waiting()
        if self.is_closed:
            self.breaker.take_over(ms(now_s), fleet.open_count, fleet.reason)

    def end_take_over(self, now_s: float) -> None:
        """The ledger is reachable again: the fleet's circuit applies, unless the local breaker is open until later."""
        if self._taken_over is not None and self.breaker.read(ms(now_s)).state is not OPEN:
            self.reset()
        self._taken_over = None


def ms(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return int(seconds * 1000)
