"""EffectiveState: where one replica stands between two beliefs on a circuit, the fleet's and its own.

A call is refused while either is open and resting. The fleet's half-open wants a lease from the ledger, the replica's
own a probe of its own; what the fleet rested from is the replica's own to probe while the ledger is unreachable. A circuit
that belongs to the replica (`own`) has no fleet behind it. Not locked: its view holds the lock.
"""

from __future__ import annotations

import math

from ha_rag.circuit.rules import Decision, Tally
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.ledger.view.cached_snapshot import CachedSnapshot
from ha_rag.ledger.view.local_breaker import LocalBreaker
from ha_rag.ledger.view.local_trip import LocalTrip, ms
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.messages import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class EffectiveState:
    """Both beliefs, and which of them binds. Times in monotonic seconds.

    `ledger_unreachable`: whether the ledger takes no verbs for this circuit, so that the replica goes on alone.
    `unpublished`: decisions on the replica's own circuit that nobody has been told of yet.
    """

    def __init__(self, local: LocalBreaker, *, replica_only: bool) -> None:
        self.replica_only = replica_only
        self.ledger_unreachable = not replica_only
        self.fleet = CachedSnapshot()
        self.local_trip = LocalTrip(local)
        self.unpublished: list[Decision] = []

    # ---- what a call meets ------------------------------------------------------------------------------------------

    def state_for_call(self, now_s: float) -> tuple[CircuitState, float]:
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
        if state is HALF_OPEN and self.ledger_unreachable:
            self.local_trip.take_over(now_s, self.fleet.snapshot)
            return CLOSED
        return state

    def is_tripped_locally(self, now_s: float) -> bool:
        """Whether the replica refuses by itself what the fleet would let pass."""
        if self.replica_only or self.fleet.mode(now_s) is not None:
            return False
        return self.fleet_state(now_s) is CLOSED and self.local_trip.state(now_s) is not CLOSED

    # ---- in which epochs --------------------------------------------------------------------------------------------

    def are_current(self, epochs: Epochs) -> bool:
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

    def evaluate(self, now_s: float, tallies: list[Tally], throttled_ms: int, batch: int) -> None:
        """Lets the replica's own law see what was counted. `batch`: the number under which the fleet will see it."""
        mode = None if self.replica_only else self.fleet.mode(now_s)
        if mode is OverrideMode.SHADOW:
            self.local_trip.observe(now_s, tallies)
        if mode is not None:
            return
        decision = self.local_trip.evaluate(now_s, tallies, throttled_ms)
        if decision is None:
            return
        if self.replica_only:
            self.unpublished.append(decision)
        elif not self.ledger_unreachable:
            # The fleet's own word is better than this replica's alone: it gets a moment to say it.
            self.local_trip.await_fleet(now_s, batch)

    def settle_locally(self, now_s: float, token: str, outcome: Outcome, throttled_ms: int, took_ms: int) -> None:
        """Ends a probe that the replica gave itself."""
        decision = self.local_trip.settle(now_s, token, outcome, throttled_ms, took_ms)
        if self.replica_only:
            self.unpublished.append(decision)

    def override_locally(
        self, now_s: float, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> None:
        """An operator's word on a circuit that belongs to this replica."""
        self.unpublished.append(self.local_trip.breaker.override(ms(now_s), mode, reason, by, for_ms))
        self.fleet.set_override(self.local_trip.read(now_s).override)

    def set_ledger_unreachable(self, now_s: float, ledger_unreachable: bool) -> bool:
        """Whether the ledger takes no verbs for this circuit. Answers whether that is news."""
        if self.replica_only or ledger_unreachable == self.ledger_unreachable:
            return False
        self.ledger_unreachable = ledger_unreachable
        if ledger_unreachable:
            self.local_trip.stop_waiting()
        else:
            self.local_trip.end_take_over(now_s)
        return True
