"""When each document was indexed: a table beside the documents, which version 0.1.0 neither has nor minds.

0.1.0 names no columns when it adds a document, so the table of documents cannot have another one. A document that it
has changed since has another digest than its entry here, and then its time is unknown.
"""

from __future__ import annotations

import sqlite3

TABLE = """
CREATE TABLE IF NOT EXISTS times (
    document TEXT PRIMARY KEY, digest TEXT NOT NULL, indexed_ms INTEGER NOT NULL
) WITHOUT ROWID
"""


def is_there(database: sqlite3.Connection) -> bool:
    """Whether the database has the table: not before a version after 0.1.0 has written to it."""
    return database.execute("SELECT 1 FROM sqlite_master WHERE name = 'times'").fetchone() is not None


def note(database: sqlite3.Connection, document: str, digest: str, indexed_ms: int) -> None:
    """Remembers when this content was indexed, in Unix milliseconds."""
    database.execute("INSERT OR REPLACE INTO times VALUES (?, ?, ?)", (document, digest, indexed_ms))


def forget(database: sqlite3.Connection, document: str) -> None:
    """Removes the entry of a document that is deleted."""
    database.execute("DELETE FROM times WHERE document = ?", (document,))


def indexed_ms(database: sqlite3.Connection, document: str, digest: str) -> int | None:
    """When this content was indexed; None if that is unknown."""
    query = "SELECT indexed_ms FROM times WHERE document = ? AND digest = ?"
    found = database.execute(query, (document, digest)).fetchone()
    return found[0] if found and isinstance(found[0], int) else None
