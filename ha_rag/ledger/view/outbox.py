"""Outbox: turns tallies into numbered batches, and keeps each until the ledger has acknowledged it.

A batch that was sent and not acknowledged is sent again as it was, under its number: the ledger counts it once. One
that has become older than the window would count for nothing, and is let go. Not locked: its view holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.rules import Batch, Tally


@dataclass(frozen=True, slots=True)
class RequestedPause:
    """A rest that the service asked for: how long (ms), in which epoch of the fleet, and when (monotonic seconds)."""

    ms: int
    epoch: int
    at_s: float

    @property
    def until_s(self) -> float:
        """When the pause is over."""
        return self.at_s + self.ms / 1000


class Outbox:
    """One replica's reports on one circuit. `kept_s`: how long a batch is worth sending again."""

    def __init__(self, replica: str, kept_s: float) -> None:
        self._replica = replica
        self._kept_s = kept_s
        self._number = 0
        self._sent: Batch | None = None
        self._sent_s = 0.0
        self._pause: RequestedPause | None = None

    @property
    def next_number(self) -> int:
        """The number of the batch that will carry what is counted from now on."""
        return self._number + 1

    @property
    def has_pending(self) -> bool:
        """Whether there is a batch to send again, or a rest to tell of."""
        return self._sent is not None or self._pause is not None

    def pause_requested(self, pause: RequestedPause) -> None:
        """Notes a rest; of two in one epoch the one that lasts longer."""
        known = self._pause
        if known is None or known.epoch != pause.epoch or known.until_s < pause.until_s:
            self._pause = pause

    def unacknowledged(self, now_s: float) -> Batch | None:
        """The batch to be sent again."""
        if self._sent is not None and now_s - self._sent_s >= self._kept_s:
            self._sent = None
        return self._sent

    def batch(self, tallies: tuple[Tally, ...], failing: bool, now_s: float, ledger_now_ms: int) -> Batch | None:
        """A new batch, or None where there is nothing to report. `ledger_now_ms`: what the ledger's clock shows."""
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
        """The ledger has seen this batch."""
        if self._sent is batch:
            self._sent = None
