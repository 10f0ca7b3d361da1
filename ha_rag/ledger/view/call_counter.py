"""CallCounter: counts outcomes, for the local breaker and for reports to the ledger.

An outcome counts only in the epoch that admitted its call: each call carries the `Epochs` under which it was admitted,
and every transition of the fleet's circuit or of the local breaker starts new ones. Not locked: the view holds the
lock.
"""

from __future__ import annotations

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.rules import Batch
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.local_trip import ms
from ha_rag.ledger.view.outbox import Outbox, RequestedPause
from ha_rag.ledger.view.tallies import Cell, Epochs, Tallies


class CallCounter:
    """One replica's counts of one circuit. `epochs`: under which calls are admitted now. Times in monotonic seconds."""

    def __init__(self, effective: EffectiveState, policy: CircuitPolicy, replica: str) -> None:
        self.epochs = Epochs(0, 0)
        self.tallies = Tallies(policy.bucket_ms / 1000, policy.window_s, reported=not effective.replica_only)
        self._outbox = Outbox(replica, policy.window_s)
        self._effective = effective
        self._throttle_max_s = policy.throttle_max_s

    def set_policy(self, policy: CircuitPolicy) -> None:
        """Counts by another policy from now on; what was counted stays."""
        self.tallies.set_window(policy.bucket_ms / 1000, policy.window_s)
        self._outbox.keep(policy.window_s)
        self._throttle_max_s = policy.throttle_max_s

    def cell(self, epochs: Epochs, now_s: float) -> Cell | None:
        """The cell that counts a call admitted under `epochs`; None if it no longer counts."""
        return self.tallies.cell_for(epochs, now_s) if self._effective.counts(epochs, now_s) else None

    def pause_requested(self, epochs: Epochs, requested_s: float, now_s: float) -> bool:
        """Records a pause that the service asked for, and evaluates. Returns whether it counted."""
        if not self._effective.counts(epochs, now_s):
            return False
        requested_ms = max(1, round(min(requested_s, self._throttle_max_s) * 1000))
        if not self._effective.replica_only and epochs.fleet_epoch == self._effective.fleet.epoch:
            self._outbox.pause_requested(RequestedPause(requested_ms, epochs.fleet_epoch, now_s))
        if epochs.local_epoch == self._effective.local_trip.epoch:
            self.evaluate(now_s, requested_ms)
        return True

    def evaluate(self, now_s: float, throttled_ms: int = 0) -> None:
        """Passes new counts to the local breaker, which may trip."""
        tallies = self.tallies.take_for_local(self._effective.local_trip.epoch, now_s)
        self._effective.evaluate(now_s, tallies, throttled_ms, self._outbox.next_number)

    def refresh_epochs(self) -> bool:
        """Starts new epochs if one has ended. Returns whether it did."""
        if self._effective.are_current(self.epochs):
            return False
        self.tallies.close_cell()
        self.epochs = self._effective.epochs()
        return True

    # ---- reports ----------------------------------------------------------------------------------------------------

    def batch(self, ledger_now_ms: int, now_s: float) -> Batch | None:
        """What to report now: the unacknowledged batch, else a new one, or None."""
        unacknowledged = self._outbox.unacknowledged(now_s)
        if unacknowledged is not None:
            return unacknowledged
        tallies = self.tallies.take_for_fleet(self._effective.fleet.epoch, now_s, ledger_now_ms)
        return self._outbox.batch(tallies, self._effective.local_trip.breaker.failing(ms(now_s)), now_s, ledger_now_ms)

    def acknowledged(self, batch: Batch) -> None:
        """The ledger has acknowledged this batch."""
        self._outbox.acknowledged(batch)

    def drop_old(self, now_s: float) -> None:
        """Drops what is too old to count."""
        self.tallies.drop_old(now_s)
        self._outbox.unacknowledged(now_s)

    @property
    def has_report(self) -> bool:
        """Whether there is anything to report."""
        return self._outbox.has_pending or self.tallies.has_pending
