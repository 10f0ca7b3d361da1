"""Tallies: outcomes counted in memory, until they go to the ledger and to the replica's own law.

A call ends with one addition to the cell at hand. Cells are shelved when their term or their time is over. Not locked:
the view holds the lock.
"""

from __future__ import annotations

from dataclasses import dataclass

from ha_rag.circuit.rules import Tally
from ha_rag.circuit.state import Counts


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """Under which epochs a call was admitted: the fleet's, and the replica's own. Compared by identity, for speed."""

    fleet_epoch: int
    solo_epoch: int


class Cell:
    """Counts of one term in one stretch of time."""

    __slots__ = ("end_s", "failed", "ok", "slow", "start_s", "term")

    def __init__(self, term: Term, start_s: float, end_s: float) -> None:
        self.term = term
        self.start_s = start_s
        self.end_s = end_s
        self.ok = 0
        self.failed = 0
        self.slow = 0

    @property
    def counts(self) -> Counts:
        """What was counted."""
        return Counts(self.ok, self.failed, self.slow)


class Tallies:
    """The cell at hand, and what waits for the ledger and for the replica's own law."""

    def __init__(self, cell_s: float, kept_s: float) -> None:
        self._cell_s = cell_s
        self._kept_s = kept_s
        self.cell: Cell | None = None
        self._for_fleet: list[Cell] = []
        self._for_solo: list[Cell] = []

    def cell_for(self, term: Term, now_s: float) -> Cell:
        """The cell for that term and time; one that was begun for another is shelved."""
        if self.cell is not None and self.cell.term is term and now_s < self.cell.end_s:
            return self.cell
        self.shelve()
        self.cell = Cell(term, now_s, now_s + self._cell_s)
        return self.cell

    def shelve(self) -> None:
        """Ends the cell at hand."""
        cell, self.cell = self.cell, None
        if cell is not None and (cell.ok or cell.failed):
            self._for_fleet.append(cell)
            self._for_solo.append(cell)

    def take_for_solo(self, epoch: int) -> list[Tally]:
        """What the replica's own law has not seen, stamped in its own ms."""
        self.shelve()
        cells, self._for_solo = self._for_solo, []
        return [Tally(epoch, int(c.start_s * 1000), c.counts) for c in cells if c.term.solo_epoch == epoch]

    def take_for_fleet(self, epoch: int, now_s: float, ledger_now_ms: int) -> tuple[Tally, ...]:
        """What the ledger has not been sent, stamped in its time; other epochs' and too old ones are dropped here."""
        self.shelve()
        cells, self._for_fleet = self._for_fleet, []
        return tuple(
            Tally(epoch, ledger_now_ms - int((now_s - c.start_s) * 1000), c.counts)
            for c in cells
            if c.term.fleet_epoch == epoch and now_s - c.start_s < self._kept_s
        )

    def trim(self, now_s: float) -> None:
        """Forgets what has become too old to count, so that a long absence of the ledger costs no memory."""
        self._for_fleet = [c for c in self._for_fleet if now_s - c.start_s < self._kept_s]
        self._for_solo = [c for c in self._for_solo if now_s - c.start_s < self._kept_s]

    @property
    def waiting(self) -> bool:
        """Whether there is anything that the ledger has not been sent."""
        return bool(self._for_fleet) or (self.cell is not None and bool(self.cell.ok or self.cell.failed))
