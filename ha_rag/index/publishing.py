"""Publishing: makes committed changes visible to readers in one step, and finishes what a crash left undone."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index.document import searchable
from ha_rag.index.folding import fold
from ha_rag.index.lexical import ANALYSIS_VERSION, LexicalSearch, write_lexical
from ha_rag.index.schema import DEAD, FRESH, LIVE, fact, number, set_fact, transaction

REMEMBERED_GENERATIONS = 1_000
"""For so many generations a reader can catch up; one that slept longer loads everything again."""


def publish(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """The lexical index follows the committed rows; then one transaction shows them. Doing it twice does no harm.

    `threads`: what a graph is built with, where one is due.
    """
    before = fact(database, "lexical")
    name = _write_lexical(folder, database)
    with transaction(database):
        _take_over(database)
        set_fact(database, "lexical", name)
        set_fact(database, "analysis", ANALYSIS_VERSION)
    if before not in (None, name):
        shutil.rmtree(folder / str(before), ignore_errors=True)
    fold(folder, database, threads)


def recover(folder: Path, database: sqlite3.Connection, threads: int) -> None:
    """Publishes what a crash left between two states, and builds anew what was lost beside the database."""
    in_transit = database.execute("SELECT 1 FROM passages WHERE state <> ? LIMIT 1", (LIVE,)).fetchone()
    newest = database.execute("SELECT coalesce(max(id), 0) FROM vectors").fetchone()[0]
    if in_transit or newest > number(database, "last_vector") or _lexical_is_lost(folder, database):
        publish(folder, database, threads)
    else:
        fold(folder, database, threads)


def _lexical_is_lost(folder: Path, database: sqlite3.Connection) -> bool:
    name = fact(database, "lexical")
    if name is None:
        return False
    try:
        LexicalSearch(folder / str(name))
    except IndexStoreError:
        return True
    return number(database, "analysis") != ANALYSIS_VERSION


def _write_lexical(folder: Path, database: sqlite3.Connection) -> str:
    name = fact(database, "lexical")
    if name is not None and not _lexical_is_lost(folder, database):
        dead = (row for (row,) in database.execute("SELECT row FROM passages WHERE state = ?", (DEAD,)))
        write_lexical(folder / str(name), dead, _words(database, FRESH, FRESH))
        return str(name)
    name = f"words-{number(database, 'generation') + 1}"
    shutil.rmtree(folder / name, ignore_errors=True)
    write_lexical(folder / name, (), _words(database, FRESH, LIVE))
    return name


def _words(database: sqlite3.Connection, first: int, last: int) -> Iterator[tuple[int, str]]:
    query = "SELECT row, title, heading, text FROM passages WHERE state IN (?, ?)"
    for row, *words in database.execute(query, (first, last)):
        yield row, searchable(*words)


def _take_over(database: sqlite3.Connection) -> None:
    generation, shown = number(database, "generation") + 1, number(database, "last_row")
    remember = "INSERT INTO gone SELECT ?, row FROM passages WHERE state = ? AND row <= ?"
    passages = number(database, "passages") - database.execute(remember, (generation, DEAD, shown)).rowcount
    database.execute("DELETE FROM vectors WHERE passage IN (SELECT row FROM passages WHERE state = ?)", (DEAD,))
    database.execute("DELETE FROM passages WHERE state = ?", (DEAD,))
    passages += database.execute("UPDATE passages SET state = ? WHERE state = ?", (LIVE, FRESH)).rowcount
    set_fact(database, "generation", generation)
    set_fact(database, "passages", passages)
    set_fact(database, "documents", database.execute("SELECT count(*) FROM documents").fetchone()[0])
    set_fact(database, "last_row", _highest(database, "passages"))
    set_fact(database, "last_vector", _highest(database, "vectors"))
    _forget(database, generation)


def _highest(database: sqlite3.Connection, table: str) -> int:
    found = database.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(found[0]) if found else 0


def _forget(database: sqlite3.Connection, generation: int) -> None:
    # A graph holds passages until it is built anew, so those that are gone must be remembered beside it.
    if database.execute("SELECT 1 FROM spaces WHERE graph IS NOT NULL").fetchone():
        return
    oldest = max(0, generation - REMEMBERED_GENERATIONS)
    database.execute("DELETE FROM gone WHERE generation <= ?", (oldest,))
    set_fact(database, "gone_since", oldest)
