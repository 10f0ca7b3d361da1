"""The table of vector spaces, as it is stored and checked."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ha_rag.index.checksums import is_text
from ha_rag.index.graph_files import is_graph
from ha_rag.messages import Space

MAX_DIMENSION = 1 << 20
_SPACES = "SELECT id, model, revision, dimension, graph, graph_bytes, graph_last FROM spaces"


@dataclass(frozen=True, slots=True)
class StoredSpace:
    """A space. `key`: its number in the database. `graph`, `size`, `last`: its graph's name, size in bytes and newest
    vector; None, 0 and 0 without one.
    """

    key: int
    space: Space
    graph: str | None
    size: int
    last: int

    @property
    def dimension(self) -> int:
        return self.space.dimension

    def file(self, folder: Path) -> Path | None:
        """The graph's file, if there is one."""
        return folder / self.graph if is_graph(self.graph) else None


def read_spaces(database: sqlite3.Connection) -> tuple[list[StoredSpace], list[int]]:
    """The spaces, and the keys of those whose row makes no sense."""
    spaces: list[StoredSpace] = []
    damaged: list[int] = []
    for key, *fields in database.execute(_SPACES).fetchall():
        if _makes_sense(*fields):
            model, revision, dimension, graph, size, last = fields
            spaces.append(StoredSpace(key, Space(model, revision, dimension), graph, size, last))
        else:
            damaged.append(key)
    return spaces, damaged


def _makes_sense(model: Any, revision: Any, dimension: Any, graph: Any, size: Any, last: Any) -> bool:
    numbers = all(isinstance(number, int) for number in (dimension, size, last))
    texts = is_text(model) and is_text(revision) and (graph is None or is_text(graph))
    return numbers and texts and 0 < dimension <= MAX_DIMENSION
