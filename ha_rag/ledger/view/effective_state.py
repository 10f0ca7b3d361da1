"""EffectiveState: one circuit's state for calls in this replica, from the fleet's circuit and the local breaker.

A call is refused while either is open. If the fleet's circuit is half-open, a probe needs a lease from the ledger; if
the local breaker is, a local grant. While the ledger is unreachable, the local breaker takes over a half-open circuit
of the fleet. A circuit of one replica alone (`replica_only`) has no fleet state. Not locked: the view holds the lock.
"""

from __future__ import annotations

import math

from ha_rag.circuit.rules import Decision, Tally
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.ledger.view.cached_snapshot import CachedSnapshot
from ha_rag.ledger.view.local_breaker import LocalBreaker
from ha_rag.ledger.view.local_trip import LocalTrip, ms
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.outcomes import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class EffectiveState:
    """The fleet's circuit and the local breaker, and which of them applies. Times in monotonic seconds.

    `received`: what the ledger said last: the fleet's circuit, or the order over a circuit of this replica alone.
    `ledger_unreachable`: whether the ledger takes no verbs for this circuit, so that the replica decides alone.
    `unpublished`: decisions of the local breaker that have not been published yet.
    """

    def __init__(self, local: LocalBreaker, *, replica_only: bool) -> None:
        self.replica_only = replica_only
        self.ledger_unreachable = not replica_only
        self.fleet = CachedSnapshot()
        self.received = CachedSnapshot() if replica_only else self.fleet
        self._order_ends_s = math.inf
        self.local_trip = LocalTrip(local)
        self.unpublished: list[Decision] = []

    # ---- state for calls --------------------------------------------------------------------------------------------

    def state_for_call(self, now_s: float) -> tuple[CircuitState, float]:
        """The state that applies to a call, and until when (infinity: unknown)."""
        mode = self.fleet.mode(now_s)
        if mode is not None:
            return (OPEN, self.fleet.override_until_s) if mode is OverrideMode.OPEN else (CLOSED, math.inf)
        fleet = self.fleet_state(now_s)
        if fleet is OPEN:
            return OPEN, self.fleet.open_until_s
        local = self.local_trip.state(now_s)
        if local is OPEN:
            return OPEN, self.local_trip.until_s(now_s)
        return (HALF_OPEN, now_s) if HALF_OPEN in (fleet, local) else (CLOSED, math.inf)

    def fleet_state(self, now_s: float) -> CircuitState:
        """The fleet's state as it applies: the local breaker takes over half-open if the ledger is unreachable."""
        state = self.fleet.state(now_s)
        if state is HALF_OPEN and self.ledger_unreachable:
            self.local_trip.take_over(now_s, self.fleet.snapshot)
            return CLOSED
        return state

    def is_tripped_locally(self, now_s: float) -> bool:
        """Whether this replica refuses calls that the fleet's circuit would admit."""
        if self.replica_only or self.fleet.mode(now_s) is not None:
            return False
        return self.fleet_state(now_s) is CLOSED and self.local_trip.state(now_s) is not CLOSED

    # ---- epochs -----------------------------------------------------------------------------------------------------

    def are_current(self, epochs: Epochs) -> bool:
        """Whether there was no transition since `epochs` began."""
        return epochs.fleet_epoch == self.fleet.epoch and epochs.local_epoch == self.local_trip.epoch

    def epochs(self) -> Epochs:
        """The current epochs."""
        return Epochs(self.fleet.epoch, self.local_trip.epoch)

    def counts(self, epochs: Epochs, now_s: float) -> bool:
        """Whether a call admitted under `epochs` still counts."""
        if self.fleet.mode(now_s) is OverrideMode.DISABLED:
            return False
        return epochs.fleet_epoch == self.fleet.epoch or epochs.local_epoch == self.local_trip.epoch

    # ---- changes ----------------------------------------------------------------------------------------------------

    def evaluate(self, now_s: float, tallies: list[Tally], throttled_ms: int, batch: int) -> None:
        """Passes counts to the local breaker. `batch`: the number of the batch that will report them to the ledger."""
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
            # The fleet's decision is better than this replica's alone: wait for it a moment.
            self.local_trip.await_fleet(now_s, batch)

    def settle_locally(self, now_s: float, token: str, outcome: Outcome, throttled_ms: int, took_ms: int) -> None:
        """Ends a probe that the local breaker granted."""
        decision = self.local_trip.settle(now_s, token, outcome, throttled_ms, took_ms)
        if self.replica_only:
            self.unpublished.append(decision)

    def override_locally(
        self, now_s: float, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> None:
        """Sets an operator's override of a circuit of this replica alone."""
        self.unpublished.append(self.local_trip.breaker.override(ms(now_s), mode, reason, by, for_ms))
        self.fleet.set_override(self.local_trip.read(now_s).override)

    def follow_order(self, now_s: float) -> None:
        """Applies the order that was received, or its end, to a circuit of this replica alone.

        An order that it follows already keeps the state; only its end may differ, after the ledger was restored.
        """
        mode, order, ends_s = self.received.mode(now_s), self.received.snapshot.override, self.received.override_until_s
        breaker, now_ms, self._order_ends_s = self.local_trip.breaker, ms(now_s), ends_s
        for_ms = None if ends_s == math.inf else max(1, ms(ends_s - now_s))
        if mode is None or order is None:
            breaker.override(now_ms, None, self.received.snapshot.reason, "", None)
        elif not breaker.is_under(order, now_ms):
            breaker.override(now_ms, mode, order.reason, order.by, for_ms)
        else:
            breaker.set_override_end(None if for_ms is None else now_ms + for_ms)
        self.fleet.set_override(self.local_trip.read(now_s).override)

    def is_order_over(self, now_s: float) -> bool:
        """Whether the time of the order last received is up, and the ledger has not recorded its end so far."""
        return now_s >= self._order_ends_s

    def set_ledger_unreachable(self, now_s: float, ledger_unreachable: bool) -> bool:
        """Sets whether the ledger takes no verbs for this circuit. Returns whether that is a change."""
        if self.replica_only or ledger_unreachable == self.ledger_unreachable:
            return False
        self.ledger_unreachable = ledger_unreachable
        if ledger_unreachable:
            self.local_trip.stop_waiting()
        else:
            self.local_trip.end_take_over(now_s)
        return True
