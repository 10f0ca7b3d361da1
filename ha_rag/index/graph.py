"""Graph: approximate nearest neighbours, for columns too large for exact search.

Hierarchical navigable small worlds (Y. Malkov and D. Yashunin, 2016) as implemented by usearch, in a file that readers
memory-map: ten replicas on one machine share one copy.
"""

from __future__ import annotations

from math import isqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from usearch.index import Index as Usearch

from ha_rag.disk_space import is_full
from ha_rag.errors import IndexStoreError
from ha_rag.index.schema import disk_full
from ha_rag.messages import Vector

CONNECTIVITY = 16
EXPANSION_ADD = 128
LEAST_EXPANSION_SEARCH = 128


def expansion_search(vectors: int) -> int:
    """How many candidates a search among so many vectors keeps: enough to find 95 % of the nearest ten at any size."""
    return max(LEAST_EXPANSION_SEARCH, isqrt(vectors))


class Graph:
    """The vectors of one space as 16-bit floats. Search is safe across threads; only the writer may add."""

    def __init__(self, usearch: Usearch) -> None:
        self._usearch = usearch

    @classmethod
    def empty(cls, dimension: int) -> Graph:
        """An empty graph in memory, for vectors of `dimension` numbers."""
        return cls(
            Usearch(
                ndim=dimension, metric="ip", dtype="f16", connectivity=CONNECTIVITY,
                expansion_add=EXPANSION_ADD, expansion_search=LEAST_EXPANSION_SEARCH,
            )
        )  # fmt: skip

    @classmethod
    def load(cls, file: Path, *, mapped: bool) -> Graph:
        """The graph in `file`. `mapped`: memory-map it read-only. Raises IndexStoreError."""
        try:
            usearch = Usearch.restore(str(file), view=mapped, expansion_add=EXPANSION_ADD)
        except Exception as error:  # usearch has no error class of its own
            raise IndexStoreError(f"the vector graph {file} cannot be read: {error}") from error
        if usearch is None:
            raise IndexStoreError(f"the vector graph {file} cannot be read")
        usearch.expansion_search = expansion_search(len(usearch))  # type: ignore[misc]  # its setter is missing in its types
        return cls(usearch)

    @property
    def dimension(self) -> int:
        """How many numbers each vector has."""
        return int(self._usearch.ndim)

    def __len__(self) -> int:
        return len(self._usearch)

    def holds(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of `rows` have a vector here."""
        return np.atleast_1d(np.asarray(self._usearch.contains(rows.astype(np.uint64)), np.bool_))

    def add(self, rows: NDArray[np.int64], vectors: NDArray[np.float32], threads: int = 1) -> None:
        """Adds vectors (n x dimension), keyed by their rows, with so many threads."""
        self._usearch.add(rows.astype(np.uint64), vectors, threads=threads)

    def save(self, file: Path) -> None:
        """Writes the graph to `file`. Raises IndexStoreError."""
        try:
            self._usearch.save(str(file))
        except (RuntimeError, OSError) as error:
            file.unlink(missing_ok=True)  # its beginning, which would take the space that others need
            if is_full(error, file.parent):
                raise disk_full(file.parent) from error
            raise IndexStoreError(f"the vector graph {file} cannot be written: {error}") from error

    def search(self, vector: Vector, limit: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows of the nearest `limit` vectors and their cosines, best first."""
        found = self._usearch.search(vector, limit, threads=1)
        return found.keys.astype(np.int64), (1.0 - found.distances).astype(np.float32)
