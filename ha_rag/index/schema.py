"""The form of the index on disk: one SQLite file that holds the truth, and how to open it.

Documents are split into passages; a passage has at most one vector in each space. A change is written in two steps:
first its rows, marked FRESH or DEAD; then, once the lexical index has followed, one transaction makes the fresh ones
LIVE, removes the dead ones and raises `generation`. Readers look at the generation only, so they see either the old
state or the new one. A crash between the steps leaves marks behind, which the next writer takes up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ha_rag.errors import IndexBusyError, IndexReadOnlyError, IndexStoreError, IndexTooNewError

SCHEMA_VERSION = 1
DATABASE = "index.sqlite3"
FRESH, LIVE, DEAD = 0, 1, 2
BUSY_TIMEOUT_S = 5.0

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, source TEXT NOT NULL, digest TEXT NOT NULL, metadata TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX documents_by_source ON documents (source);
CREATE TABLE passages (
    row INTEGER PRIMARY KEY AUTOINCREMENT, document TEXT NOT NULL, number INTEGER NOT NULL,
    title TEXT NOT NULL, heading TEXT NOT NULL, text TEXT NOT NULL, state INTEGER NOT NULL
);
CREATE INDEX passages_by_document ON passages (document);
CREATE INDEX passages_in_transit ON passages (state) WHERE state <> 1;
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY, model TEXT NOT NULL, revision TEXT NOT NULL, dimension INTEGER NOT NULL,
    graph TEXT, graph_bytes INTEGER NOT NULL DEFAULT 0, graph_last INTEGER NOT NULL DEFAULT 0,
    UNIQUE (model, revision, dimension)
);
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT, space INTEGER NOT NULL, passage INTEGER NOT NULL, vector BLOB NOT NULL,
    UNIQUE (space, passage)
);
CREATE INDEX vectors_by_passage ON vectors (passage);
CREATE TABLE gone (generation INTEGER NOT NULL, passage INTEGER NOT NULL);
CREATE INDEX gone_by_generation ON gone (generation);
"""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours. `path`: the index's folder, for the text."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(path, error) from error


def _translation(path: Path, error: sqlite3.Error) -> IndexStoreError:
    text = str(error)
    if "readonly" in text:
        return IndexReadOnlyError(f"the index at {path} cannot be written here; run `ha-rag ingest` where it can")
    if "is locked" in text:
        return IndexBusyError(f"another program holds the database of the index at {path}")
    if "is full" in text:
        return IndexStoreError(f"no space left for the index at {path}; what was indexed before is untouched")
    if "malformed" in text or "not a database" in text:
        return IndexStoreError(
            f"the index at {path} is damaged ({text}); restore a copy, or remove the folder and ingest again"
        )
    return IndexStoreError(f"the index at {path} cannot be used: {text}")


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """A connection that may write, in a database that is made when it is missing. The writer's lock must be held."""
    with translated(folder):
        if not (folder / DATABASE).exists():
            _create(folder)
        connection = _connect(f"{(folder / DATABASE).resolve().as_uri()}?mode=rw")
        try:
            check_version(folder, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """A connection that cannot write. Works in a folder that this process may not write to."""
    database = folder / DATABASE
    with translated(folder):
        try:
            connection = _connect(f"{database.resolve().as_uri()}?mode=ro")
            check_version(folder, connection)
        except sqlite3.OperationalError:
            connection = _open_unwritable(folder)
    return connection


def _open_unwritable(folder: Path) -> sqlite3.Connection:
    """A connection for a folder where SQLite cannot make the side files of its journal.

    Without a journal beside it, the database was closed cleanly and can be read as it stands.
    """
    uri = (folder / DATABASE).resolve().as_uri()
    waiting = folder / f"{DATABASE}-wal"
    if waiting.exists() and waiting.stat().st_size:
        raise IndexStoreError(
            f"the index at {folder} was not closed cleanly and this process may not write there; run "
            "`ha-rag ingest` once with write access to mend it"
        )
    connection = _connect(f"{uri}?mode=ro&immutable=1")
    check_version(folder, connection)
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    return sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )


def _create(folder: Path) -> None:
    """Makes the database under another name first, so that no reader ever meets half of one."""
    unfinished = folder / f"{DATABASE}.new"
    unfinished.unlink(missing_ok=True)
    connection = _connect(f"{unfinished.resolve().as_uri()}?mode=rwc")
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES}")
        for key in ("generation", "last_vector", "last_row", "gone_since", "passages", "documents"):
            set_fact(connection, key, 0)
        set_fact(connection, "schema", SCHEMA_VERSION)
        connection.execute("INSERT INTO meta SELECT 'identity', lower(hex(randomblob(6)))")
        connection.execute("COMMIT")
    finally:
        connection.close()
    unfinished.replace(folder / DATABASE)


def check_version(folder: Path, connection: sqlite3.Connection) -> None:
    """Raises IndexTooNewError where a later version wrote this index, IndexStoreError where it is none of ours."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        raise IndexStoreError(
            f"{folder / DATABASE} is not an index of ha_rag, or only half of one; remove it and ingest again"
        )
    found = fact(connection, "schema")
    if not isinstance(found, int):
        raise IndexStoreError(f"{folder / DATABASE} is not an index of ha_rag")
    if found > SCHEMA_VERSION:
        raise IndexTooNewError(
            f"the index at {folder} has form {found}, and this version of ha_rag knows forms up to {SCHEMA_VERSION}; "
            "upgrade ha_rag, or point [index] path at another folder and ingest again"
        )


def fact(connection: sqlite3.Connection, key: str) -> int | str | None:
    """One value of the `meta` table, or None."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def number(connection: sqlite3.Connection, key: str) -> int:
    """One whole number of the `meta` table; 0 where it is missing."""
    return int(fact(connection, key) or 0)


def set_fact(connection: sqlite3.Connection, key: str, value: int | str) -> None:
    """Writes one value of the `meta` table, in the transaction that is open."""
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of the block, or nothing of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a full disk ends the transaction by itself
            connection.execute("ROLLBACK")
        raise
