"""Repairs a database from what is left of it: damaged vectors are made again, damaged documents are read again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from ha_rag.index.checksums import passage_checksum, vector_checksum
from ha_rag.index.examining import DAMAGED, Damage
from ha_rag.index.schema import DEAD, LIVE, meta_number, set_meta

_PASSAGE = "SELECT row, document, number, title, heading, text FROM passages WHERE row = ?"
_VECTOR = "SELECT id, space, passage, vector FROM vectors WHERE id = ?"
UNUSABLE = -1
"""The size of a graph that has to be made again; no file has it."""


def is_needed(database: sqlite3.Connection, damage: Damage) -> bool:
    """Whether there is anything to repair or to sign."""
    known = damage.rows == meta_number(database, "passages")
    lists = (damage.documents, damage.unnamed, damage.orphans, damage.states, damage.vectors, damage.spaces)
    return not known or any(lists) or bool(damage.unsigned_passages or damage.unsigned_vectors)


def repair(database: sqlite3.Connection, damage: Damage) -> None:
    """Repairs in the current transaction.

    Deletes damaged vectors, and passages that belong to no document; marks documents with a damaged or missing passage,
    so that the next ingest that meets their source replaces them. Until then their passages stay. What version 0.1.0
    wrote gets its checksums.
    """
    set_meta(database, "passages", damage.rows)
    for key in damage.spaces:
        database.execute("DELETE FROM vectors WHERE space = ?", (key,))
        database.execute("DELETE FROM spaces WHERE id = ?", (key,))
    for key in damage.graphs:
        database.execute("UPDATE spaces SET graph_bytes = ? WHERE id = ?", (UNUSABLE, key))
    _each(database, "DELETE FROM vectors WHERE id = ?", damage.vectors)
    _each(database, "DELETE FROM documents WHERE CAST(id AS BLOB) = ?", damage.unnamed)
    _each(database, "UPDATE documents SET digest = ? WHERE id = ?", damage.documents, DAMAGED)
    _each(database, "UPDATE passages SET state = ? WHERE row = ?", damage.states, LIVE)
    _each(database, "UPDATE passages SET state = ? WHERE row = ?", damage.orphans, DEAD)
    for row in damage.unsigned_passages:
        fields = database.execute(_PASSAGE, (row,)).fetchone()
        database.execute("UPDATE passages SET checksum = ? WHERE row = ?", (passage_checksum(*fields), row))
    for vector in damage.unsigned_vectors:
        stored = database.execute(_VECTOR, (vector,)).fetchone()
        if stored is not None:
            database.execute("UPDATE vectors SET checksum = ? WHERE id = ?", (vector_checksum(*stored), vector))


def _each(database: sqlite3.Connection, change: str, keys: Iterable[object], *new: object) -> None:
    database.executemany(change, ((*new, key) for key in keys))


def still_damaged(database: sqlite3.Connection) -> list[str]:
    """The documents that wait to be read again."""
    return [name for (name,) in database.execute("SELECT id FROM documents WHERE digest = ? ORDER BY id", (DAMAGED,))]
