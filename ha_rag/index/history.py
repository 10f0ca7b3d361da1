"""The history of an index: a random id for each generation, by which a reader notices that the index went back.

Generations are counted. A backup that is restored has counted less far, and once it is written to, it reaches the same
numbers with other content. The ids of the two differ from there on.
"""

from __future__ import annotations

import secrets
import sqlite3
import time

from ha_rag.index.schema import meta_number, set_meta

REMEMBERED_GENERATIONS = 1_000
"""A reader that is at most this many generations behind loads only the changes; others reload everything."""


def new_id() -> str:
    """An id for a generation."""
    return secrets.token_hex(8)


def advance(database: sqlite3.Connection, generation_id: str) -> int:
    """Begins the next generation, in the current transaction, and returns its number."""
    generation = meta_number(database, "generation") + 1
    set_meta(database, "generation", generation)
    database.execute("INSERT OR REPLACE INTO history VALUES (?, ?)", (generation, generation_id))
    database.execute("DELETE FROM history WHERE generation <= ?", (generation - REMEMBERED_GENERATIONS,))
    return generation


def id_of(database: sqlite3.Connection, generation: int) -> str:
    """The id of a generation; "" if version 0.1.0 wrote it, or if it is forgotten."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'history'").fetchone():
        return ""
    found = database.execute("SELECT id FROM history WHERE generation = ?", (generation,)).fetchone()
    return str(found[0]) if found else ""


class RowIds:
    """Ids for new rows: larger than any before, even than those that a restored backup does not know of.

    They begin with the microseconds since 1970, unless the table is ahead of that. In the transactions of one writer.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._last: dict[str, int] = {}

    def next(self, table: str) -> int:
        """The next id for `table`."""
        last = self._last.get(table)
        if last is None:
            last = max(highest(self._database, table), time.time_ns() // 1_000)
        self._last[table] = last + 1
        return last + 1


def highest(database: sqlite3.Connection, table: str) -> int:
    """The highest id that `table` ever had."""
    found = database.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(found[0]) if found else 0
