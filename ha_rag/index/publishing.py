"""Publishing: makes committed changes visible to readers in one step, and completes it after a crash."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index.compaction import compact
from ha_rag.index.document import searchable
from ha_rag.index.lexical import ANALYSIS_VERSION, LexicalSearch, write_lexical
from ha_rag.index.schema import DEAD, FRESH, LIVE, meta, meta_number, set_meta, transaction

REMEMBERED_GENERATIONS = 1_000
"""A reader that is at most this many generations behind loads only the changes; others reload everything."""


def publish(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Adds the committed rows to the lexical index, then makes them visible in one transaction. Idempotent.

    `threads`: to build a vector graph with, if one is due.
    """
    before = meta(database, "lexical")
    name = _write_lexical(folder, database)
    with transaction(database):
        _apply_states(database)
        set_meta(database, "lexical", name)
        set_meta(database, "analysis", ANALYSIS_VERSION)
    if before not in (None, name):
        shutil.rmtree(folder / str(before), ignore_errors=True)
    compact(folder, database, threads)


def recover(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Completes a publication that a crash interrupted, and rebuilds a lost lexical index."""
    in_transit = database.execute("SELECT 1 FROM passages WHERE state <> ? LIMIT 1", (LIVE,)).fetchone()
    newest = database.execute("SELECT coalesce(max(id), 0) FROM vectors").fetchone()[0]
    if in_transit or newest > meta_number(database, "last_vector") or _lexical_is_lost(folder, database):
        publish(folder, database, threads)
    else:
        compact(folder, database, threads)


def _lexical_is_lost(folder: Path, database: sqlite3.Connection) -> bool:
    name = meta(database, "lexical")
    if name is None:
        return False
    try:
        LexicalSearch(folder / str(name))
    except IndexStoreError:
        return True
    return meta_number(database, "analysis") != ANALYSIS_VERSION


def _write_lexical(folder: Path, database: sqlite3.Connection) -> str:
    name = meta(database, "lexical")
    if name is not None and not _lexical_is_lost(folder, database):
        dead = (row for (row,) in database.execute("SELECT row FROM passages WHERE state = ?", (DEAD,)))
        write_lexical(folder / str(name), dead, _words(database, FRESH, FRESH))
        return str(name)
    name = f"words-{meta_number(database, 'generation') + 1}"
    shutil.rmtree(folder / name, ignore_errors=True)
    write_lexical(folder / name, (), _words(database, FRESH, LIVE))
    return name


def _words(database: sqlite3.Connection, first: int, last: int) -> Iterator[tuple[int, str]]:
    query = "SELECT row, title, heading, text FROM passages WHERE state IN (?, ?)"
    for row, *words in database.execute(query, (first, last)):
        yield row, searchable(*words)


def _apply_states(database: sqlite3.Connection) -> None:
    """Makes FRESH passages LIVE, deletes DEAD ones and increments the generation."""
    generation, shown = meta_number(database, "generation") + 1, meta_number(database, "last_row")
    remember = "INSERT INTO gone SELECT ?, row FROM passages WHERE state = ? AND row <= ?"
    passages = meta_number(database, "passages") - database.execute(remember, (generation, DEAD, shown)).rowcount
    database.execute("DELETE FROM vectors WHERE passage IN (SELECT row FROM passages WHERE state = ?)", (DEAD,))
    database.execute("DELETE FROM passages WHERE state = ?", (DEAD,))
    passages += database.execute("UPDATE passages SET state = ? WHERE state = ?", (LIVE, FRESH)).rowcount
    set_meta(database, "generation", generation)
    set_meta(database, "passages", passages)
    set_meta(database, "documents", database.execute("SELECT count(*) FROM documents").fetchone()[0])
    set_meta(database, "last_row", _highest(database, "passages"))
    set_meta(database, "last_vector", _highest(database, "vectors"))
    _forget_old_deletions(database, generation)


def _highest(database: sqlite3.Connection, table: str) -> int:
    found = database.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(found[0]) if found else 0


def _forget_old_deletions(database: sqlite3.Connection, generation: int) -> None:
    # A graph keeps deleted passages until it is rebuilt, so their list must be kept as long as a graph exists.
    if database.execute("SELECT 1 FROM spaces WHERE graph IS NOT NULL").fetchone():
        return
    oldest = max(0, generation - REMEMBERED_GENERATIONS)
    database.execute("DELETE FROM gone WHERE generation <= ?", (oldest,))
    set_meta(database, "gone_since", oldest)
