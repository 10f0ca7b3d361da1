"""Provenance: a file in a lexical index that says which generation of the database it was written for.

A lexical index lies beside the database. Where one of them is restored from a backup and the other is not, they hold
different documents, and each is intact by itself.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index.history import id_of
from ha_rag.index.schema import DEAD, FRESH, LIVE, meta_number
from ha_rag.index.words_files import small_file

NAME = "ha_rag.json"


def sign(folder: Path, generation: int, generation_id: str) -> None:
    """Says that the lexical index in `folder` has the rows of this generation, in one step."""
    unfinished = folder / f"{NAME}.new"
    unfinished.write_text(json.dumps({"generation": generation, "id": generation_id}))
    unfinished.replace(folder / NAME)


def belongs(folder: Path, passages: int, database: sqlite3.Connection) -> bool:
    """Whether the lexical index in `folder`, which holds so many passages, was written for this database.

    Between its commit and the database's it is one generation ahead; then there are rows in transit. One that version
    0.1.0 created is not signed, and is judged by its number of passages alone.
    """
    live = meta_number(database, "passages")
    fresh, dead, in_transit = _in_transit(database)
    if passages not in (live, live + fresh - dead):
        return False
    if not (folder / NAME).exists():
        return True
    try:
        signed = json.loads(small_file(folder / NAME))
        generation, generation_id = int(signed["generation"]), str(signed["id"])
    except (ValueError, KeyError, TypeError, OSError, IndexStoreError):
        return False
    current = meta_number(database, "generation")
    if generation == current + 1:
        return in_transit
    return generation <= current and id_of(database, generation) in (generation_id, "")


def _in_transit(database: sqlite3.Connection) -> tuple[int, int, bool]:
    """How many passages are new, how many visible ones are to be deleted, and whether anything awaits publication."""
    query = "SELECT row, state FROM passages WHERE state <> ?"
    found = database.execute(query, (LIVE,)).fetchall()
    shown = meta_number(database, "last_row")
    newest = database.execute("SELECT coalesce(max(id), 0) FROM vectors").fetchone()[0]
    fresh = sum(state == FRESH for _, state in found)
    dead = sum(state == DEAD and row <= shown for row, state in found)
    return fresh, dead, bool(found) or newest > meta_number(database, "last_vector")
