"""IndexSnapshot: one loaded generation of the index, and how to load the next one."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ha_rag.errors import IndexStoreError
from ha_rag.index.column import Column, Matrix, Rows, unpacked
from ha_rag.index.graph import Graph
from ha_rag.index.lexical import LexicalSearch
from ha_rag.index.schema import meta, meta_number
from ha_rag.messages import Space


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSnapshot:
    """One generation of the index, ready to be searched. Immutable; safe across threads.

    `identity`: of the database; differs after it was recreated. `last_row`, `last_vector`: the newest ids included.
    `graphs`: graph file name per space. `problems`: why columns could not be loaded.
    """

    identity: str = ""
    generation: int = 0
    last_row: int = 0
    last_vector: int = 0
    passages: int = 0
    documents: int = 0
    lexical: LexicalSearch | None = None
    columns: dict[Space, Column] = field(default_factory=dict)
    graphs: dict[Space, str | None] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def search_words(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, BM25 score) pairs, best first."""
        if self.lexical is None:
            return []
        hits = self.lexical.search(question, limit)
        # The lexical index may be one commit ahead of this snapshot.
        return [hit for hit in hits if hit[0] <= self.last_row]


def load(folder: Path, connection: sqlite3.Connection, before: IndexSnapshot) -> IndexSnapshot:
    """The newest generation; vectors that `before` holds are not read again. Raises IndexStoreError, sqlite3.Error."""
    connection.execute("BEGIN")
    try:
        identity, generation = str(meta(connection, "identity")), meta_number(connection, "generation")
        if identity != before.identity or before.generation < meta_number(connection, "gone_since"):
            before = IndexSnapshot(identity=identity)
        last_vector = meta_number(connection, "last_vector")
        columns, problems = _load_columns(folder, connection, before, last_vector)
        return IndexSnapshot(
            identity=identity,
            generation=generation,
            last_row=meta_number(connection, "last_row"),
            last_vector=last_vector,
            passages=meta_number(connection, "passages"),
            documents=meta_number(connection, "documents"),
            lexical=_load_lexical(folder, connection),
            columns={space: column for space, (column, _) in columns.items()},
            graphs={space: graph for space, (_, graph) in columns.items()},
            problems=problems,
        )
    finally:
        connection.execute("ROLLBACK")


def _load_lexical(folder: Path, connection: sqlite3.Connection) -> LexicalSearch | None:
    name = meta(connection, "lexical")
    return LexicalSearch(folder / str(name)) if name else None


def _load_columns(
    folder: Path, connection: sqlite3.Connection, before: IndexSnapshot, upto: int
) -> tuple[dict[Space, tuple[Column, str | None]], tuple[str, ...]]:
    columns: dict[Space, tuple[Column, str | None]] = {}
    problems: list[str] = []
    query = "SELECT id, graph, graph_bytes, graph_last, model, revision, dimension FROM spaces"
    for key, graph, size, graph_last, *identity in connection.execute(query).fetchall():
        space = Space(*identity)
        known, since, generation = before.columns.get(space), before.last_vector, before.generation
        try:
            if known is None or before.graphs.get(space) != graph:
                known, since, generation = Column.empty(space, _open_graph(folder, graph, size)), graph_last, -1
        except IndexStoreError as error:
            problems.append(str(error))
            continue
        rows, matrix = _read_vectors(connection, key, space.dimension, since, upto)
        columns[space] = known.with_changes(rows, matrix, _read_gone(connection, generation)), graph
    return columns, tuple(problems)


def _open_graph(folder: Path, name: str | None, size: int) -> Graph | None:
    if name is None:
        return None
    file = folder / name
    # Reading past the end of a memory-mapped file would kill the process (SIGBUS), so a truncated one is refused.
    if not file.exists() or file.stat().st_size != size:
        raise IndexStoreError(f"the vector graph {file} is missing or damaged; the next `ha-rag ingest` rebuilds it")
    return Graph.load(file, mapped=True)


def _read_vectors(
    connection: sqlite3.Connection, space: int, dimension: int, after: int, upto: int
) -> tuple[Rows, Matrix]:
    # The plus keeps SQLite from using the index on space: new vectors are few and adjacent in the primary key.
    query = "SELECT passage, vector FROM vectors WHERE id > ? AND id <= ? AND +space = ?"
    found = connection.execute(query, (after, upto, space)).fetchall()
    return unpacked(found, dimension)


def _read_gone(connection: sqlite3.Connection, after: int) -> Rows:
    found = connection.execute("SELECT passage FROM gone WHERE generation > ?", (after,)).fetchall()
    return np.fromiter((row for (row,) in found), np.int64, len(found))
