"""Counting: what calls ended in, judged by the replica's own law, and gathered for the fleet's.

A call counts in the epoch that admitted it, and in no other: it carries the `Term` under which it passed, and every
transition, of the fleet's circuit or of the replica's own, begins a new one. Not locked: its view holds the lock.
"""

from __future__ import annotations

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch
from ha_rag.ledger.outbox import Outbox, Rest
from ha_rag.ledger.overlay import ms
from ha_rag.ledger.stance import Stance
from ha_rag.ledger.tallies import Cell, Tallies, Term


class Counting:
    """One replica's counts of one circuit. `term`: under which calls pass now. Times in monotonic seconds."""

    def __init__(self, stance: Stance, policy: CircuitPolicy, replica: str) -> None:
        self.term = Term(0, 0)
        self.tallies = Tallies(policy.bucket_ms / 1000, policy.window_s, reported=not stance.own)
        self._outbox = Outbox(replica, policy.window_s)
        self._stance = stance
        self._throttle_max_s = policy.throttle_max_s

    def cell(self, term: Term, now_s: float) -> Cell | None:
        """Where a call counts that was admitted under that term; None where it counts for nothing any more."""
        return self.tallies.cell_for(term, now_s) if self._stance.counts(term, now_s) else None

    def asked_to_rest(self, term: Term, asked_s: float, now_s: float) -> bool:
        """Notes, and judges, that the service asked for a rest of so many seconds. Answers whether it counted."""
        if not self._stance.counts(term, now_s):
            return False
        asked_ms = max(1, round(min(asked_s, self._throttle_max_s) * 1000))
        if not self._stance.own and term.fleet_epoch == self._stance.fleet.epoch:
            self._outbox.asked_to_rest(Rest(asked_ms, term.fleet_epoch, now_s))
        if term.solo_epoch == self._stance.overlay.epoch:
            self.judge(now_s, asked_ms)
        return True

    def judge(self, now_s: float, throttled_ms: int = 0) -> None:
        """Lets the replica's own law see what was counted since it last looked."""
        tallies = self.tallies.take_for_solo(self._stance.overlay.epoch, now_s)
        self._stance.judge(now_s, tallies, throttled_ms, self._outbox.next_number)

    def keep_up(self) -> None:
        """Begins a new term where an epoch has ended."""
        if not self._stance.is_of_now(self.term):
            self.tallies.shelve()
            self.term = self._stance.term()

    # ---- reports ----------------------------------------------------------------------------------------------------

    def batch(self, ledger_now_ms: int, now_s: float) -> Batch | None:
        """What should be reported now: the batch that was not acknowledged, or a new one, or nothing."""
        again = self._outbox.unacknowledged(now_s)
        if again is not None:
            return again
        tallies = self.tallies.take_for_fleet(self._stance.fleet.epoch, now_s, ledger_now_ms)
        return self._outbox.batch(tallies, self._stance.overlay.solo.failing(ms(now_s)), now_s, ledger_now_ms)

    def taken(self, batch: Batch) -> None:
        """The ledger has seen this batch."""
        self._outbox.taken(batch)

    @property
    def has_news(self) -> bool:
        """Whether there is anything to report."""
        return self._outbox.waiting or self.tallies.waiting
