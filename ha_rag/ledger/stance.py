"""Stance: where one replica stands between two beliefs on a circuit, the fleet's and its own.

A call is refused while either is open and resting. The fleet's half-open wants a lease from the ledger, the replica's
own a probe of its own; what the fleet rested from is the replica's own to probe while the ledger is away. A circuit
that belongs to the replica (`own`) has no fleet behind it. Not locked: its view holds the lock.
"""

from __future__ import annotations

import math

from ha_rag.circuit.rules import Ruling, Tally
from ha_rag.circuit.state import CircuitState, OverrideMode
from ha_rag.ledger.belief import FleetBelief
from ha_rag.ledger.overlay import Overlay, ms
from ha_rag.ledger.solo import Solo
from ha_rag.ledger.tallies import Term
from ha_rag.messages import Outcome

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN


class Stance:
    """Both beliefs, and which of them binds. Times in monotonic seconds.

    `away`: whether the ledger takes no verbs for this circuit, so that the replica goes on alone.
    `untold`: rulings on the replica's own circuit that nobody has been told of yet.
    """

    def __init__(self, solo: Solo, *, own: bool) -> None:
        self.own = own
        self.away = not own
        self.fleet = FleetBelief()
        self.overlay = Overlay(solo)
        self.untold: list[Ruling] = []

    # ---- what a call meets ------------------------------------------------------------------------------------------

    def meets(self, now_s: float) -> tuple[CircuitState, float]:
        """The state that a call meets, and until when, as far as that is known."""
        mode = self.fleet.mode(now_s)
        if mode is not None:
            return (OPEN, self.fleet.override_until_s) if mode is OverrideMode.OPEN else (CLOSED, math.inf)
        fleet = self.fleet_state(now_s)
        if fleet is OPEN:
            return OPEN, self.fleet.rest_until_s
        own = self.overlay.state(now_s)
        if own is OPEN:
            return OPEN, self.overlay.until_s(now_s)
        return (HALF_OPEN, now_s) if HALF_OPEN in (fleet, own) else (CLOSED, math.inf)

    def fleet_state(self, now_s: float) -> CircuitState:
        """The fleet's, as far as it binds: what it rested from is the replica's own to probe while it is alone."""
        state = self.fleet.state(now_s)
        if state is HALF_OPEN and self.away:
            self.overlay.take_over(now_s, self.fleet.snapshot)
            return CLOSED
        return state

    def overlaid(self, now_s: float) -> bool:
        """Whether the replica refuses by itself what the fleet would let pass."""
        if self.own or self.fleet.mode(now_s) is not None:
            return False
        return self.fleet_state(now_s) is CLOSED and self.overlay.state(now_s) is not CLOSED

    # ---- in which epochs --------------------------------------------------------------------------------------------

    def is_of_now(self, term: Term) -> bool:
        """Whether nothing has changed since that term began."""
        return term.fleet_epoch == self.fleet.epoch and term.solo_epoch == self.overlay.epoch

    def term(self) -> Term:
        """A term that begins now."""
        return Term(self.fleet.epoch, self.overlay.epoch)

    def counts(self, term: Term, now_s: float) -> bool:
        """Whether a call admitted under that term still counts: it does in the epoch that admitted it only."""
        if self.fleet.mode(now_s) is OverrideMode.DISABLED:
            return False
        return term.fleet_epoch == self.fleet.epoch or term.solo_epoch == self.overlay.epoch

    # ---- what changes it --------------------------------------------------------------------------------------------

    def judge(self, now_s: float, tallies: list[Tally], throttled_ms: int, batch: int) -> None:
        """Lets the replica's own law see what was counted. `batch`: the number under which the fleet will see it."""
        mode = None if self.own else self.fleet.mode(now_s)
        if mode is OverrideMode.SHADOW:
            self.overlay.watch(now_s, tallies)
        if mode is not None:
            return
        ruling = self.overlay.judge(now_s, tallies, throttled_ms)
        if ruling is None:
            return
        if self.own:
            self.untold.append(ruling)
        elif not self.away:
            # The fleet's own word is better than this replica's alone: it gets a moment to say it.
            self.overlay.await_verdict(now_s, batch)

    def settle_alone(self, now_s: float, token: str, outcome: Outcome, throttled_ms: int) -> None:
        """Ends a probe that the replica gave itself."""
        ruling = self.overlay.settle(now_s, token, outcome, throttled_ms)
        if self.own:
            self.untold.append(ruling)

    def override_alone(self, now_s: float, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None) -> None:
        """An operator's word on a circuit that belongs to this replica."""
        self.untold.append(self.overlay.solo.override(ms(now_s), mode, reason, by, for_ms))
        self.fleet.hold(self.overlay.read(now_s).override)

    def set_away(self, now_s: float, away: bool) -> bool:
        """Whether the ledger takes no verbs for this circuit. Answers whether that is news."""
        if self.own or away == self.away:
            return False
        self.away = away
        if away:
            self.overlay.bind()
        else:
            self.overlay.hand_back(now_s)
        return True
