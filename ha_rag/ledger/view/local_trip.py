"""LocalTrip: what one replica decides for itself, and whether that binds its calls.

The replica's own law sees what this replica counts. Where it trips while the fleet's circuit is closed, the fleet's
word gets a moment to come first; then the replica refuses by itself. Where the ledger is unreachable, what the fleet knew
last is taken over, once, and probed by this replica alone. An overlay is never an epoch of the fleet's, so no isolated
replica overrules it. Not locked: its view holds the lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ha_rag.circuit.rules import Decision, Tally
from ha_rag.circuit.snapshot import UNKNOWN, Snapshot
from ha_rag.circuit.state import CircuitState
from ha_rag.ledger.view.local_breaker import LocalBreaker
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.messages import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

FLEET_WAIT_S = 0.1
"""How long a replica whose own window trips waits for the fleet's word before it refuses by itself."""


@dataclass(slots=True)
class _FleetWait:
    """The fleet's word that is waited for: until when, and on which batch (by number) it will be."""

    until_s: float
    batch: int


class LocalTrip:
    """The replica's own law (`solo`), and since when it binds. Times in monotonic seconds.

    `hold_s`: for how long it only counts once the fleet's circuit has recovered.
    """

    def __init__(self, breaker: LocalBreaker) -> None:
        self.breaker = breaker
        self.closed_at_s = -math.inf
        self.hold_s = breaker.terms.blip_ms / 1000
        self._awaited: _FleetWait | None = None
        self._taken_over: int | None = None

    @property
    def epoch(self) -> int:
        """The replica's own epoch."""
        return self.breaker.circuit.epoch

    @property
    def is_closed(self) -> bool:
        """Whether the own law is closed."""
        return self.breaker.circuit.state is CLOSED

    @property
    def has_streak(self) -> bool:
        """Whether the own law has seen failures that nothing has outweighed yet."""
        return self.breaker.circuit.streak.bad > 0 or self.breaker.circuit.slow_streak.bad > 0

    def awaits_fleet(self, now_s: float) -> bool:
        """Whether it has tripped, and still gives the fleet time to speak first."""
        return self._awaited is not None and now_s < self._awaited.until_s

    def state(self, now_s: float) -> CircuitState:
        """The state that binds this replica's calls."""
        if self.is_closed or self.awaits_fleet(now_s):
            return CLOSED
        return self.breaker.read(ms(now_s)).state

    def until_s(self, now_s: float) -> float:
        """When a probe may be made; infinity where nobody can know."""
        wait_ms = self.breaker.wait_ms(ms(now_s))
        return math.inf if wait_ms == UNKNOWN else now_s + wait_ms / 1000

    def probe(self, now_s: float) -> Grant | None:
        """The right to a probe of the replica's own, if one may be made now."""
        own = self.breaker.lease(ms(now_s))
        if own is None:
            return None
        until_s = own.until_ms / 1000
        return Grant(own.token, until_s, self.epoch, True, until_s)

    def read(self, now_s: float) -> Snapshot:
        """The replica's own circuit, in ms of its own clock."""
        return self.breaker.read(ms(now_s))

    def observe(self, now_s: float, tallies: list[Tally]) -> None:
        """Counts, and opens nothing, while the fleet's circuit is in shadow mode: its quorum asks who sees failures."""
        if self.is_closed and tallies:
            self.breaker.observe(ms(now_s), tallies)

    def evaluate(self, now_s: float, tallies: list[Tally], throttled_ms: int = 0) -> Decision | None:
        """Lets the own law see what was counted. Answers what changed, if anything did."""
        if not self.is_closed or not (tallies or throttled_ms):
            return None
        decision = self.breaker.record(ms(now_s), tallies, throttled_ms)
        return decision if decision.events else None

    def settle(self, now_s: float, token: str, outcome: Outcome, throttled_ms: int, took_ms: int = 0) -> Decision:
        """Ends a probe of the replica's own."""
        decision = self.breaker.settle(ms(now_s), token, outcome, throttled_ms, took_ms)
        if decision.events and self.is_closed:
            self.closed_at_s = now_s
        return decision

    def await_fleet(self, now_s: float, batch: int) -> None:
        """Binds once the fleet has judged the batch of that number, or after `FLEET_WAIT_S`."""
        self._awaited = _FleetWait(now_s + FLEET_WAIT_S, batch)

    def batch_evaluated(self, batch: int) -> None:
        """The fleet has judged that batch, and stays closed."""
        if self._awaited is not None and batch >= self._awaited.batch:
            self._awaited = None

    def stop_waiting(self) -> None:
        """Binds from now on: there is nobody whose word could come first."""
        self._awaited = None

    def lacks_samples(self, now_s: float) -> bool:
        """Whether nothing but the number of samples keeps the own law closed: then a success may open it too."""
        return self.is_closed and self.breaker.lacks_samples(ms(now_s))

    def reset(self, closed_at_s: float = -math.inf) -> None:
        """The fleet's circuit takes its place. `closed_at_s`: when probes closed it; for `hold_s` it only counts."""
        self.breaker.reset(0 if closed_at_s == -math.inf else ms(closed_at_s + self.hold_s))
        self._awaited = None

    def take_over(self, now_s: float, fleet: Snapshot) -> None:
        """Makes what the fleet knew last the replica's own to probe; once for each of the fleet's epochs."""
        if self._taken_over == fleet.epoch:
            return
        self._taken_over = fleet.epoch
        self.stop_waiting()
        if self.is_closed:
            self.breaker.take_over(ms(now_s), fleet.open_count, fleet.reason)

    def end_take_over(self, now_s: float) -> None:
        """The ledger is back. What was taken over is the fleet's again, unless it rests: a rest runs to its end."""
        if self._taken_over is not None and self.breaker.read(ms(now_s)).state is not OPEN:
            self.reset()
        self._taken_over = None


def ms(seconds: float) -> int:
    """Whole milliseconds of the local clock."""
    return int(seconds * 1000)
