"""Column: the vectors of one space, and nearest-neighbour search in them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ha_rag.index.graph import Graph
from ha_rag.messages import Space, Vector

Rows = NDArray[np.int64]
Matrix = NDArray[np.float32]

NO_ROWS: Rows = np.empty(0, np.int64)
EXACT_FLOATS = 8_000_000
"""Up to this many floats are scanned (31,250 vectors of 256 numbers take about 1 ms); larger columns use a graph."""
MAX_EXTRA_NEIGHBOURS = 1_000
"""How many extra neighbours to ask a graph for, at most, to replace passages that were deleted since it was built."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The vectors of `space`: those in `graph`, if there is one, and `matrix` (one row per passage in `rows`).

    `gone`: sorted passages that are still in the graph but no longer in the index. Immutable; safe across threads.
    """

    space: Space
    rows: Rows
    matrix: Matrix
    graph: Graph | None = None
    gone: Rows = field(default_factory=lambda: NO_ROWS)

    @classmethod
    def empty(cls, space: Space, graph: Graph | None = None) -> Column:
        """A column whose only vectors are those in `graph`."""
        return cls(space, NO_ROWS, np.empty((0, space.dimension), np.float32), graph)

    def __len__(self) -> int:
        return len(self.rows) + (len(self.graph) - len(self.gone) if self.graph else 0)

    def with_changes(self, rows: Rows, matrix: Matrix, gone: Rows) -> Column:
        """A column with new passages added and those in `gone` removed. Unchanged arrays are shared.

        A passage that is here already gets its new vector: the one before was damaged.
        """
        kept_rows, kept = self.rows, self.matrix
        if len(gone):
            stays = np.isin(kept_rows, gone, invert=True)
            kept_rows, kept = kept_rows[stays], kept[stays]
            rows, matrix = _without(rows, matrix, gone)
        if len(rows):
            kept_rows, kept = _without(kept_rows, kept, rows)
            kept_rows, kept = np.concatenate([kept_rows, rows]), np.concatenate([kept, matrix])
        all_gone = np.union1d(self.gone, gone[self.graph.holds(gone)]) if self.graph and len(gone) else self.gone
        return Column(self.space, kept_rows, kept, self.graph, all_gone)

    def search(self, vector: Vector, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, cosine) pairs, best first; exact without a graph. `vector`: of unit length."""
        rows, scores = self._exact(vector, limit)
        if self.graph is not None:
            more_rows, more_scores = self._near(self.graph, vector, limit)
            rows, scores = np.concatenate([rows, more_rows]), np.concatenate([scores, more_scores])
            best = np.argsort(-scores, kind="stable")[:limit]
            rows, scores = rows[best], scores[best]
        return list(zip(rows.tolist(), scores.tolist(), strict=True))

    def _exact(self, vector: Vector, limit: int) -> tuple[Rows, Matrix]:
        # As fast as `matrix @ vector` on one core, and starts no threads, which that would: searches run side by side.
        scores: Matrix = np.vecdot(self.matrix, vector)
        if limit < len(scores):
            best = np.argpartition(scores, -limit)[-limit:]
            best = best[np.argsort(-scores[best], kind="stable")]
        else:
            best = np.argsort(-scores, kind="stable")
        return self.rows[best], scores[best]

    def _near(self, graph: Graph, vector: Vector, limit: int) -> tuple[Rows, Matrix]:
        rows, scores = graph.search(vector, limit + min(len(self.gone), MAX_EXTRA_NEIGHBOURS))
        if len(self.gone):
            stays = np.isin(rows, self.gone, invert=True)
            rows, scores = rows[stays], scores[stays]
        return rows[:limit], scores[:limit]


def _without(rows: Rows, matrix: Matrix, gone: Rows) -> tuple[Rows, Matrix]:
    stays = np.isin(rows, gone, invert=True)
    return rows[stays], matrix[stays]
