"""Compaction: moves vectors into a column's graph once there are too many to scan one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index import sound_files
from ha_rag.index.checksums import checked_vectors
from ha_rag.index.column import EXACT_FLOATS, Matrix, Rows
from ha_rag.index.graph import Graph
from ha_rag.index.graph_files import check_graph, file_checksum, graph_name, is_checked
from ha_rag.index.history import advance, new_id
from ha_rag.index.schema import meta_number, transaction, with_checksums
from ha_rag.index.stored_spaces import StoredSpace, read_spaces

BATCH = 20_000
_VECTORS = "SELECT id, passage, vector, checksum FROM vectors WHERE id > ? AND id <= ? AND +space = ? ORDER BY id"
GONE_AT_LEAST = 1_000
GONE_SHARE = 0.1
"""A graph is rebuilt when more than this share of it, and more than GONE_AT_LEAST passages, have been deleted."""


def compact(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Updates the graph of each column that needs it, with so many threads. The caller must hold the writer's lock."""
    for stored in read_spaces(database)[0]:
        _compact_column(folder, database, stored, threads)


def _compact_column(folder: Path, database: sqlite3.Connection, stored: StoredSpace, threads: int) -> None:
    newest = meta_number(database, "last_vector")
    reusable = _is_usable(folder, database, stored)
    since = stored.last if reusable else 0
    if not _is_due(database, stored, since, newest):
        if stored.graph is not None and not reusable:
            _drop(folder, database, stored)
        elif stored.graph is not None and not is_checked(stored.graph):
            _adopt(folder, database, stored, stored.graph)
        return
    file = stored.file(folder)
    graph = Graph.load(file, mapped=False) if reusable and file else Graph.empty(stored.dimension)
    for rows, vectors in _batches(database, stored, since, newest):
        graph.add(rows, vectors, threads)
    _store(folder, database, stored, graph, newest)


def _is_due(database: sqlite3.Connection, stored: StoredSpace, since: int, newest: int) -> bool:
    values: tuple[int, ...]
    if since:
        query, values = (
            "SELECT count(*) FROM vectors WHERE id > ? AND id <= ? AND +space = ?",
            (since, newest, stored.key),
        )
    else:  # from the index on space alone, without reading the vectors
        query, values = "SELECT count(*) FROM vectors WHERE space = ?", (stored.key,)
    waiting: int = database.execute(query, values).fetchone()[0]
    return waiting * stored.dimension > EXACT_FLOATS


def _is_usable(folder: Path, database: sqlite3.Connection, stored: StoredSpace) -> bool:
    """Whether there is an intact graph in which not too many passages have been deleted."""
    file = stored.file(folder)
    if file is None:
        return False
    try:
        sound_files.shared.check(file, lambda file: check_graph(file, stored.size))
    except (IndexStoreError, OSError):
        return False
    gone: int = database.execute("SELECT count(*) FROM gone").fetchone()[0]
    if gone <= GONE_AT_LEAST:
        return True
    try:
        graph = Graph.load(file, mapped=True)
    except IndexStoreError:
        return False
    return gone <= GONE_SHARE * len(graph)


def _batches(
    database: sqlite3.Connection, stored: StoredSpace, since: int, newest: int
) -> Iterator[tuple[Rows, Matrix]]:
    query = with_checksums(database, "vectors", _VECTORS)
    cursor = database.execute(query, (since, newest, stored.key))
    while found := cursor.fetchmany(BATCH):
        checked = checked_vectors(found, stored.key, stored.dimension)
        yield checked.rows, checked.matrix


def _store(folder: Path, database: sqlite3.Connection, stored: StoredSpace, graph: Graph, newest: int) -> None:
    unfinished = folder / f"graph-{stored.key}.new"
    graph.save(unfinished)
    name = graph_name(stored.key, newest, meta_number(database, "generation"), file_checksum(unfinished))
    unfinished.replace(folder / name)
    _point_to(folder, database, stored, name, (folder / name).stat().st_size, newest)


def _adopt(folder: Path, database: sqlite3.Connection, stored: StoredSpace, graph: str) -> None:
    """Gives a graph of version 0.1.0 a name with its checksum."""
    generation, checksum = meta_number(database, "generation"), file_checksum(folder / graph)
    name = graph_name(stored.key, stored.last, generation, checksum)
    (folder / name).unlink(missing_ok=True)
    (folder / name).hardlink_to(folder / graph)
    _point_to(folder, database, stored, name, stored.size, stored.last)


def _drop(folder: Path, database: sqlite3.Connection, stored: StoredSpace) -> None:
    _point_to(folder, database, stored, None, 0, 0)


def _point_to(
    folder: Path, database: sqlite3.Connection, stored: StoredSpace, name: str | None, size: int, last: int
) -> None:
    with transaction(database):
        change = "UPDATE spaces SET graph = ?, graph_bytes = ?, graph_last = ? WHERE id = ?"
        database.execute(change, (name, size, last, stored.key))
        advance(database, new_id())
    old = stored.file(folder)
    if old is not None and old.name != name:
        old.unlink(missing_ok=True)  # readers that have mapped it keep their mapping
