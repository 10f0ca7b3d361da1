"""Column: the vectors of one space that this process can search, and the search itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ha_rag.index.graph import Graph
from ha_rag.messages import Space, Vector

Rows = NDArray[np.int64]
Matrix = NDArray[np.float32]

NO_ROWS: Rows = np.empty(0, np.int64)
EXACT_FLOATS = 8_000_000
"""Up to so many floats (31,250 vectors of 256: about 1 ms) vectors are compared one by one; more go into a graph."""
MOST_EXTRA = 1_000
"""At most this many more neighbours are asked of a graph, to make up for those that are gone."""


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """The vectors of `space`: those in `graph`, if there is one, and `matrix` (one row per passage in `rows`).

    `gone`: passages that the graph still holds and the index does not, sorted. Immutable; safe across threads.
    `with_changes` makes the next state, sharing what did not change.
    """

    space: Space
    rows: Rows
    matrix: Matrix
    graph: Graph | None = None
    gone: Rows = field(default_factory=lambda: NO_ROWS)

    @classmethod
    def empty(cls, space: Space, graph: Graph | None = None) -> Column:
        """A column without vectors of its own."""
        return cls(space, NO_ROWS, np.empty((0, space.dimension), np.float32), graph)

    def __len__(self) -> int:
        return len(self.rows) + (len(self.graph) - len(self.gone) if self.graph else 0)

    def with_changes(self, rows: Rows, matrix: Matrix, gone: Rows) -> Column:
        """This column without the passages in `gone`, and with new ones."""
        kept_rows, kept = self.rows, self.matrix
        if len(gone):
            stays = np.isin(kept_rows, gone, invert=True)
            kept_rows, kept = kept_rows[stays], kept[stays]
            rows, matrix = _without(rows, matrix, gone)
        if len(rows):
            kept_rows, kept = np.concatenate([kept_rows, rows]), np.concatenate([kept, matrix])
        all_gone = np.union1d(self.gone, gone[self.graph.holds(gone)]) if self.graph and len(gone) else self.gone
        return Column(self.space, kept_rows, kept, self.graph, all_gone)

    def search(self, vector: Vector, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, cosine), best first. Exact where there is no graph. `vector`: of length one."""
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
        rows, scores = graph.search(vector, limit + min(len(self.gone), MOST_EXTRA))
        if len(self.gone):
            stays = np.isin(rows, self.gone, invert=True)
            rows, scores = rows[stays], scores[stays]
        return rows[:limit], scores[:limit]


def _without(rows: Rows, matrix: Matrix, gone: Rows) -> tuple[Rows, Matrix]:
    stays = np.isin(rows, gone, invert=True)
    return rows[stays], matrix[stays]


def unpacked(found: Sequence[tuple[int, bytes]], dimension: int) -> tuple[Rows, Matrix]:
    """Rows and vectors from (row, bytes of float32) pairs."""
    rows = np.fromiter((row for row, _ in found), np.int64, len(found))
    return rows, np.frombuffer(b"".join(blob for _, blob in found), np.float32).reshape(len(found), dimension)
