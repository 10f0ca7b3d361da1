"""Outbox: turns tallies into numbered batches, and keeps each until the ledger has acknowledged it.

An unacknowledged batch is sent again unchanged, under the same number, so the ledger counts it once. A batch older than
the window would not count and is dropped. Not locked: the view holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.rules import Batch, Tally


@dataclass(frozen=True, slots=True)
class RequestedPause:
    """A pause that the service asked for: its duration (ms), the fleet's epoch, and when (monotonic seconds)."""

    ms: int
    epoch: int
    at_s: float

    @property
    def until_s(self) -> float:
        """When the pause ends."""
        return self.at_s + self.ms / 1000


class Outbox:
    """One replica's reports on one circuit. `kept_s`: for how long a batch is sent again."""

    def __init__(self, replica: str, kept_s: float) -> None:
        self._replica = replica
        self._kept_s = kept_s
        self._number = 0
        self._sent: Batch | None = None
        self._sent_s = 0.0
        self._pause: RequestedPause | None = None

    def keep(self, kept_s: float) -> None:
        """Changes for how long a batch is sent again."""
        self._kept_s = kept_s

    @property
    def next_number(self) -> int:
        """The number of the next new batch."""
        return self._number + 1

    @property
    def has_pending(self) -> bool:
        """Whether there is an unacknowledged batch or a pause to report."""
        return self._sent is not None or self._pause is not None

    def pause_requested(self, pause: RequestedPause) -> None:
        """Records a pause; of two in one epoch, the one that ends later."""
        known = self._pause
        if known is None or known.epoch != pause.epoch or known.until_s < pause.until_s:
            self._pause = pause

    def unacknowledged(self, now_s: float) -> Batch | None:
        """The batch to send again."""
        if self._sent is not None and now_s - self._sent_s >= self._kept_s:
            self._sent = None
        return self._sent

    def batch(self, tallies: tuple[Tally, ...], failing: bool, now_s: float, ledger_now_ms: int) -> Batch | None:
        """A new batch, or None if there is nothing to report. `ledger_now_ms`: the time on the ledger's clock."""
        pause, self._pause = self._pause, None
        if not tallies and pause is None:
            return None
        self._number += 1
        self._sent_s = now_s
        self._sent = Batch(
            self._replica,
            self._number,
            tallies,
            failing,
            throttled_ms=pause.ms if pause else 0,
            throttled_epoch=pause.epoch if pause else 0,
            throttled_at_ms=ledger_now_ms - int((now_s - pause.at_s) * 1000) if pause else 0,
        )
        return self._sent

    def acknowledged(self, batch: Batch) -> None:
        """The ledger has acknowledged this batch."""
        if self._sent is batch:
            self._sent = None
