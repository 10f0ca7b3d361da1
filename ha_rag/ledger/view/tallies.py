"""Tallies: outcomes counted in memory, for the ledger and for the local breaker.

A call's end adds one to the current cell. A cell ends with its epochs or its time bucket and is merged with the pending
cell of the same epochs and bucket, so a window holds at most a dozen cells at any traffic, even while the ledger is
unreachable. Not locked: the view holds the lock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ha_rag.circuit.rules import Tally
from ha_rag.circuit.state import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Epochs:
    """The epochs that admitted a call: the fleet's and the local breaker's. Compared by identity, for speed."""

    fleet_epoch: int
    local_epoch: int


class Cell:
    """Counts of one epoch pair in one time bucket."""

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
        """The counts as a value."""
        return Counts(self.ok, self.failed, self.slow)

    def add(self, other: Cell) -> None:
        """Adds the counts of another cell."""
        self.ok += other.ok
        self.failed += other.failed
        self.slow += other.slow
        self.overdue += other.overdue

    @property
    def is_empty(self) -> bool:
        """Whether nothing was counted."""
        return not (self.ok or self.failed or self.overdue)


class PendingCells:
    """Closed cells that were not taken yet, oldest first; none older than `kept_s`."""

    def __init__(self, kept_s: float) -> None:
        self._kept_s = kept_s
        self._cells: list[Cell] = []

    def keep(self, kept_s: float) -> None:
        """Changes how old a pending cell may become."""
        self._kept_s = kept_s

    def put(self, cell: Cell) -> None:
        """Adds the counts of a closed cell."""
        last = self._cells[-1] if self._cells else None
        if last is None or last.epochs is not cell.epochs or last.end_s != cell.end_s:
            last = Cell(cell.epochs, cell.start_s, cell.end_s)
            self._cells.append(last)
        last.add(cell)

    def take(self, now_s: float) -> list[Cell]:
        """Removes and returns the cells that are not too old to count."""
        self.trim(now_s)
        cells, self._cells = self._cells, []
        return cells

    def trim(self, now_s: float) -> None:
        """Drops cells that are too old to count."""
        while self._cells and now_s - self._cells[0].start_s >= self._kept_s:
            del self._cells[0]

    def __len__(self) -> int:
        return len(self._cells)


class Tallies:
    """The current cell, and pending cells for the ledger (only if `reported`) and for the local breaker."""

    def __init__(self, cell_s: float, kept_s: float, *, reported: bool = True) -> None:
        self._cell_s = cell_s
        self._reported = reported
        self._kept_s = kept_s
        self.cell: Cell | None = None
        self.last_end_s = -math.inf
        """The end of the time bucket of the last outcome."""
        self.for_fleet = PendingCells(kept_s)
        self.for_local = PendingCells(kept_s)

    def set_window(self, cell_s: float, kept_s: float) -> None:
        """Changes the lengths of a cell and of the window, from the next cell on."""
        self.close_cell()
        self._cell_s = cell_s
        self.for_fleet.keep(kept_s)
        self.for_local.keep(kept_s)

    def cell_for(self, epochs: Epochs, now_s: float) -> Cell:
        """The cell for `epochs` and `now_s`; closes the current cell if it is for others."""
        if self.cell is not None and self.cell.epochs is epochs and now_s < self.cell.end_s:
            return self.cell
        self.close_cell()
        self.for_fleet.trim(now_s)
        self.for_local.trim(now_s)
        self.last_end_s = self._end_s(now_s)
        self.cell = Cell(epochs, now_s, self.last_end_s)
        return self.cell

    def _end_s(self, now_s: float) -> float:
        """The end of the bucket that contains `now_s`."""
        end_s = (now_s // self._cell_s + 1) * self._cell_s
        return end_s if end_s > now_s else now_s + self._cell_s

    def drop_old(self, now_s: float) -> None:
        """Drops what is too old to count."""
        if self.cell is not None and now_s - self.cell.start_s >= self._kept_s:
            self.cell = None
        self.for_fleet.trim(now_s)
        self.for_local.trim(now_s)

    def close_cell(self) -> None:
        """Closes the current cell."""
        cell, self.cell = self.cell, None
        if cell is not None and not cell.is_empty:
            self.for_local.put(cell)
            if self._reported:
                self.for_fleet.put(cell)

    def take_for_local(self, epoch: int, now_s: float) -> list[Tally]:
        """Takes what is pending for the local breaker, stamped in ms of the local clock."""
        self.close_cell()
        cells = self.for_local.take(now_s)
        return [
            Tally(epoch, int(c.start_s * 1000), c.counts, c.overdue) for c in cells if c.epochs.local_epoch == epoch
        ]

    def take_for_fleet(self, epoch: int, now_s: float, ledger_now_ms: int) -> tuple[Tally, ...]:
        """Takes what is pending for the ledger, stamped on its clock; outcomes of other epochs are dropped."""
        self.close_cell()
        return tuple(
            Tally(epoch, ledger_now_ms - int((now_s - c.start_s) * 1000), c.counts, c.overdue)
            for c in self.for_fleet.take(now_s)
            if c.epochs.fleet_epoch == epoch
        )

    @property
    def has_pending(self) -> bool:
        """Whether anything is pending for the ledger."""
        cell = self.cell
        return self._reported and (bool(self.for_fleet) or (cell is not None and not cell.is_empty))
