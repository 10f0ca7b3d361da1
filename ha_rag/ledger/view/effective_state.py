"""EffectiveState: where one replica stands between two beliefs on a circuit, the fleet's and its own.

A call is refused while either is open and resting. The fleet's half-open wants a lease from the ledger, the replica's
own a probe of its own; what the fleet rested from is the replica's own to probe while the ledger is away. A circuit
that belongs to the replica (`own`) has no fleet behind it. Not locked: its view holds the lock.
"""

from __future__ import annotations

import math

from ha_rag.circuit.rules import Ruling, Tally
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.ledger.view.cached_snapshot import CachedSnapshot
from ha_rag.ledger.view.local_breaker import LocalBreaker
from ha_rag.ledger.view.local_trip import LocalTrip, ms
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.messages import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class EffectiveState:
    """Both beliefs, and which of them binds. Times in monotonic seconds.

    `away`: whether the ledger takes no verbs for this circuit, so that the replica goes on alone.
    `unpublished`: rulings on the replica's own circuit that nobody has been told of yet.
    """

    def __init__(self, local: LocalBreaker, *, own: bool) -> None:
        self.own = own
        self.away = not own
        self.fleet = CachedSnapshot()
        self.local_trip = LocalTrip(local)
        self.unpublished: list[Ruling] = []

    # ---- what a call meets ------------------------------------------------------------------------------------------

    def meets(self, now_s: float) -> tuple[CircuitState, float]:
        """The state that a call meets, and until when, as far as that is known."""
        mode = self.fleet.mode(now_s)
        if mode is not None:
            return (OPEN, self.fleet.override_until_s) if mode is OverrideMode.OPEN else (CLOSED, math.inf)
        fleet = self.fleet_state(now_s)
        if fleet is OPEN:
            return OPEN, self.fleet.open_until_s
        own = self.local_trip.state(now_s)
        if own is OPEN:
            return OPEN, self.local_trip.until_s(now_s)
        return (HALF_OPEN, now_s) if HALF_OPEN in (fleet, own) else (CLOSED, math.inf)

    def fleet_state(self, now_s: float) -> CircuitState:
        """The fleet's, as far as it binds: what it rested from is the replica's own to probe while it is alone."""
        state = self.fleet.state(now_s)
        if state is HALF_OPEN and self.away:
            self.local_trip.take_over(now_s, self.fleet.snapshot)
            return CLOSED
        return state

    def is_tripped_locally(self, now_s: float) -> bool:
        """Whether the replica refuses by itself what the fleet would let pass."""
        if self.own or self.fleet.mode(now_s) is not None:
            return False
        return self.fleet_state(now_s) is CLOSED and self.local_trip.state(now_s) is not CLOSED

    # ---- in which epochs --------------------------------------------------------------------------------------------

    def is_of_now(self, epochs: Epochs) -> bool:
        """Whether nothing has changed since that epochs began."""
        return epochs.fleet_epoch == self.fleet.epoch and epochs.local_epoch == self.local_trip.epoch

    def epochs(self) -> Epochs:
        """A epochs that begins now."""
        return Epochs(self.fleet.epoch, self.local_trip.epoch)

    def counts(self, epochs: Epochs, now_s: float) -> bool:
        """Whether a call admitted under that epochs still counts: it does in the epoch that admitted it only."""
        if self.fleet.mode(now_s) is OverrideMode.DISABLED:
            return False
        return epochs.fleet_epoch == self.fleet.epoch or epochs.local_epoch == self.local_trip.epoch

    # ---- what changes it --------------------------------------------------------------------------------------------

    def judge(self, now_s: float, tallies: list[Tally], throttled_ms: int, batch: int) -> None:
        """Lets the replica's own law see what was counted. `batch`: the number under which the fleet will see it."""
        mode = None if self.own else self.fleet.mode(now_s)
        if mode is OverrideMode.SHADOW:
            self.local_trip.watch(now_s, tallies)
        if mode is not None:
            return
        ruling = self.local_trip.judge(now_s, tallies, throttled_ms)
        if ruling is None:
            return
        if self.own:
            self.unpublished.append(ruling)
        elif not self.away:
            # The fleet's own word is better than this replica's alone: it gets a moment to say it.
            self.local_trip.await_verdict(now_s, batch)

    def settle_locally(self, now_s: float, token: str, outcome: Outcome, throttled_ms: int, took_ms: int) -> None:
        """Ends a probe that the replica gave itself."""
        ruling = self.local_trip.settle(now_s, token, outcome, throttled_ms, took_ms)
        if self.own:
            self.unpublished.append(ruling)

    def override_locally(
        self, now_s: float, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> None:
        """An operator's word on a circuit that belongs to this replica."""
        self.unpublished.append(self.local_trip.breaker.override(ms(now_s), mode, reason, by, for_ms))
        self.fleet.hold(self.local_trip.read(now_s).override)

    def set_away(self, now_s: float, away: bool) -> bool:
        """Whether the ledger takes no verbs for this circuit. Answers whether that is news."""
        if self.own or away == self.away:
            return False
        self.away = away
        if away:
            self.local_trip.bind()
        else:
            self.local_trip.hand_back(now_s)
        return True
