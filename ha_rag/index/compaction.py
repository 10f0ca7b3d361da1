"""Compaction: moves vectors into a column's graph once there are too many to scan one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index.column import EXACT_FLOATS, Matrix, Rows, unpacked
from ha_rag.index.graph import Graph
from ha_rag.index.schema import meta_number, set_meta, transaction

BATCH = 20_000
GONE_AT_LEAST = 1_000
GONE_SHARE = 0.1
"""A graph is rebuilt when more than this share of it, and more than GONE_AT_LEAST passages, have been deleted."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """The columns of a row in the table `spaces` that describe its graph."""

    key: int
    dimension: int
    graph: str | None
    size: int
    last: int

    def file(self, folder: Path) -> Path | None:
        return folder / self.graph if self.graph else None


def compact(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Updates the graph of each column that needs it, with so many threads. The caller must hold the writer's lock."""
    for row in database.execute("SELECT id, dimension, graph, graph_bytes, graph_last FROM spaces").fetchall():
        _compact_column(folder, database, _Stored(*row), threads)


def _compact_column(folder: Path, database: sqlite3.Connection, stored: _Stored, threads: int) -> None:
    newest = meta_number(database, "last_vector")
    reusable = _is_usable(folder, database, stored)
    since = stored.last if reusable else 0
    if not _is_due(database, stored, since, newest):
        if stored.graph is not None and not reusable:
            _drop(folder, database, stored)
        return
    file = stored.file(folder)
    graph = Graph.load(file, mapped=False) if reusable and file else Graph.empty(stored.dimension)
    for rows, vectors in _batches(database, stored, since, newest):
        graph.add(rows, vectors, threads)
    _store(folder, database, stored, graph, newest)


def _is_due(database: sqlite3.Connection, stored: _Stored, since: int, newest: int) -> bool:
    if (newest - since) * stored.dimension <= EXACT_FLOATS:  # counting is more expensive
        return False
    query = "SELECT count(*) FROM vectors WHERE id > ? AND id <= ? AND +space = ?"
    waiting: int = database.execute(query, (since, newest, stored.key)).fetchone()[0]
    return waiting * stored.dimension > EXACT_FLOATS


def _is_usable(folder: Path, database: sqlite3.Connection, stored: _Stored) -> bool:
    """Whether there is an intact graph in which not too many passages have been deleted."""
    file = stored.file(folder)
    if file is None or not file.exists() or file.stat().st_size != stored.size:
        return False
    gone: int = database.execute("SELECT count(*) FROM gone").fetchone()[0]
    if gone <= GONE_AT_LEAST:
        return True
    try:
        graph = Graph.load(file, mapped=True)
    except IndexStoreError:
        return False
    return gone <= GONE_SHARE * len(graph)


def _batches(database: sqlite3.Connection, stored: _Stored, since: int, newest: int) -> Iterator[tuple[Rows, Matrix]]:
    query = "SELECT passage, vector FROM vectors WHERE id > ? AND id <= ? AND +space = ? ORDER BY id"
    cursor = database.execute(query, (since, newest, stored.key))
    while found := cursor.fetchmany(BATCH):
        yield unpacked(found, stored.dimension)


def _store(folder: Path, database: sqlite3.Connection, stored: _Stored, graph: Graph, newest: int) -> None:
    name = f"graph-{stored.key}-{newest}-{meta_number(database, 'generation')}.usearch"
    unfinished = folder / f"{name}.new"
    graph.save(unfinished)
    unfinished.replace(folder / name)
    _point_to(folder, database, stored, name, (folder / name).stat().st_size, newest)


def _drop(folder: Path, database: sqlite3.Connection, stored: _Stored) -> None:
    _point_to(folder, database, stored, None, 0, 0)


def _point_to(
    folder: Path, database: sqlite3.Connection, stored: _Stored, name: str | None, size: int, last: int
) -> None:
    with transaction(database):
        change = "UPDATE spaces SET graph = ?, graph_bytes = ?, graph_last = ? WHERE id = ?"
        database.execute(change, (name, size, last, stored.key))
        set_meta(database, "generation", meta_number(database, "generation") + 1)
    old = stored.file(folder)
    if old is not None and old.name != name:
        old.unlink(missing_ok=True)  # readers that have mapped it keep their mapping
