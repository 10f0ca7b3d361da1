"""Tallies: outcomes counted in memory until they go to the ledger and to the local breaker.

A call's end adds one to the current cell. A cell ends with its epochs or its time bucket and is merged with the pending
cell of the same epochs and bucket, so however many calls there are and however long the ledger is unreachable, a window holds
a dozen cells. Not locked: the view holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.rules import Tally
from ha_rag.circuit.state import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """Under which epochs a call was admitted: the fleet's, and the replica's own. Compared by identity, for speed."""

    fleet_epoch: int
    local_epoch: int


class Cell:
    """Counts of one epochs in one stretch of time."""

    __slots__ = ("end_s", "epochs", "failed", "ok", "overdue", "slow", "start_s")

    def __init__(self, epochs: Epochs, start_s: float, end_s: float) -> None:
        self.epochs = epochs
        self.start_s = start_s
        self.end_s = end_s
        self.ok = 0
        self.failed = 0
        self.slow = 0
        self.overdue = 0

    @property
    def counts(self) -> Counts:
        """What was counted."""
        return Counts(self.ok, self.failed, self.slow)

    def add(self, other: Cell) -> None:
        """Counts what another cell counted too."""
        self.ok += other.ok
        self.failed += other.failed
        self.slow += other.slow
        self.overdue += other.overdue

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self.ok or self.failed or self.overdue)


class PendingCells:
    """Cells that were ended and not yet taken, oldest first; none older than `kept_s`."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._cells: list[Cell] = []

    def put(self, cell: Cell) -> None:
        """Adds what a cell counted."""
        last = self._cells[-1] if self._cells else None
        if last is None or last.epochs is not cell.epochs or last.end_s != cell.end_s:
            last = Cell(cell.epochs, cell.start_s, cell.end_s)
            self._cells.append(last)
        last.add(cell)

    def take(self, now_s: float) -> list[Cell]:
        """Empties it of everything that is not too old to count."""
        self.trim(now_s)
        cells, self._cells = self._cells, []
        return cells

    def trim(self, now_s: float) -> None:
        """Forgets what has become too old to count."""
        while self._cells and now_s - self._cells[0].start_s >= self._kept_s:
            del self._cells[0]

    def __len__(self) -> int:
        return len(self._cells)


class Tallies:
    """The cell at hand, and what waits for the ledger (`reported`: whether anything ever does) and for the own law."""

    def __init__(self, cell_s: float, kept_s: float, *, reported: bool = True) -> None:
        self._cell_s = cell_s
        self._reported = reported
        self.cell: Cell | None = None
        self.for_fleet = PendingCells(kept_s)
        self.for_local = PendingCells(kept_s)

    def cell_for(self, epochs: Epochs, now_s: float) -> Cell:
        """The cell for that epochs and time; one that was begun for another is shelved."""
        if self.cell is not None and self.cell.epochs is epochs and now_s < self.cell.end_s:
            return self.cell
        self.close_cell()
        self.for_fleet.trim(now_s)
        self.for_local.trim(now_s)
        self.cell = Cell(epochs, now_s, self._end_s(now_s))
        return self.cell

    def _end_s(self, now_s: float) -> float:
        """Where the bucket ends that this moment lies in."""
        end_s = (now_s // self._cell_s + 1) * self._cell_s
        return end_s if end_s > now_s else now_s + self._cell_s

    def close_cell(self) -> None:
        """Ends the cell at hand."""
        cell, self.cell = self.cell, None
        if cell is not None and not cell.is_empty:
            self.for_local.put(cell)
            if self._reported:
                self.for_fleet.put(cell)

    def take_for_local(self, epoch: int, now_s: float) -> list[Tally]:
        """What the replica's own law has not seen, stamped in its own ms."""
        self.close_cell()
        cells = self.for_local.take(now_s)
        return [
            Tally(epoch, int(c.start_s * 1000), c.counts, c.overdue) for c in cells if c.epochs.local_epoch == epoch
        ]

    def take_for_fleet(self, epoch: int, now_s: float, ledger_now_ms: int) -> tuple[Tally, ...]:
        """What the ledger has not been sent, stamped in its time; what other epochs admitted is dropped here."""
        self.close_cell()
        return tuple(
            Tally(epoch, ledger_now_ms - int((now_s - c.start_s) * 1000), c.counts, c.overdue)
            for c in self.for_fleet.take(now_s)
            if c.epochs.fleet_epoch == epoch
        )

    @property
    def has_pending(self) -> bool:
        """Whether there is anything that the ledger has not been sent."""
        cell = self.cell
        return self._reported and (bool(self.for_fleet) or (cell is not None and not cell.is_empty))
