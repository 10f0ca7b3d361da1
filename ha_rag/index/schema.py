"""The schema of the index: one authoritative SQLite file, and how to open it.

Documents are split into passages; a passage has at most one vector per space. A change is written in two steps. First
its rows are committed, marked FRESH or DEAD. Then, once the lexical index has been updated, one transaction makes fresh
rows LIVE, deletes dead ones and increments `generation`. Readers act on the generation only, so they see either the old
state or the new one. After a crash between the steps, the next writer finds the marks and completes the change.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ha_rag.disk_space import has_no_space, is_full, no_space
from ha_rag.errors import IndexBusyError, IndexDiskFullError, IndexReadOnlyError, IndexStoreError, IndexTooNewError
from ha_rag.index import times
from ha_rag.index.regular import other_kind

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
ADDED_COLUMNS = {"passages": "checksum", "vectors": "checksum"}
"""Columns that version 0.1.0 neither has nor minds: it names the columns that it writes, and leaves these empty."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Translates SQLite's errors. `path`: the index's folder, for the message."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(path, error) from error


def _translation(path: Path, error: sqlite3.Error) -> IndexStoreError:
    text = str(error)
    if is_full(error, path):
        return disk_full(path)
    if "readonly" in text:
        return IndexReadOnlyError(
            f"the index at {path} is read-only here; run `ha-rag ingest` on a machine and as a user with write access"
        )
    if "is locked" in text:
        return IndexBusyError(f"another program has locked the database of the index at {path}")
    if "malformed" in text or "not a database" in text:
        return damaged(path, text)
    return IndexStoreError(f"the index at {path} cannot be used: {text}")


def disk_full(path: Path) -> IndexDiskFullError:
    """The error for an index on a full disk."""
    return IndexDiskFullError(f"the index cannot be written: {no_space(path)}; documents indexed before are unaffected")


def damaged(path: Path, why: str) -> IndexStoreError:
    """The error of a database that cannot be mended from itself."""
    return IndexStoreError(
        f"the index at {path} is damaged ({why}); restore a backup, or delete the folder and ingest again"
    )


def check_files(folder: Path) -> None:
    """Raises IndexStoreError if something else stands where the database or a file of SQLite's beside it should."""
    for ending in ("", "-wal", "-shm", "-journal", ".new"):
        file = folder / f"{DATABASE}{ending}"
        if (kind := other_kind(file)) is not None:
            raise IndexStoreError(f"{file} is {kind}, not a file; remove it, and restore a backup or ingest again")


def open_for_writing(folder: Path) -> sqlite3.Connection:
    """A writable connection; the database is created if missing. The caller must hold the writer's lock."""
    with translated(folder):
        check_files(folder)
        if not (folder / DATABASE).exists():
            _create(folder)
        connection = _connect(f"{(folder / DATABASE).resolve().as_uri()}?mode=rw")
        try:
            check_version(folder, connection)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            _add_missing(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def open_for_reading(folder: Path) -> sqlite3.Connection:
    """A read-only connection; works in a read-only folder, too."""
    database = folder / DATABASE
    with translated(folder):
        check_files(folder)
        try:
            return _checked(folder, _connect(f"{database.resolve().as_uri()}?mode=ro"))
        except sqlite3.OperationalError:
            return _open_unwritable(folder)


def _open_unwritable(folder: Path) -> sqlite3.Connection:
    """A connection for a folder where SQLite cannot create its journal files.

    A database without a journal was closed cleanly and can be opened as immutable.
    """
    uri = (folder / DATABASE).resolve().as_uri()
    waiting = folder / f"{DATABASE}-wal"
    if waiting.exists() and waiting.stat().st_size:
        if has_no_space(folder):
            raise disk_full(folder)
        raise IndexStoreError(
            f"the index at {folder} was not closed cleanly and this process has no write access to it; run "
            "`ha-rag ingest` once with write access to repair it"
        )
    return _checked(folder, _connect(f"{uri}?mode=ro&immutable=1"))


def _checked(folder: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    """`connection`, if its version can be read here; closed where that raises."""
    try:
        check_version(folder, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=256
    )
    connection.text_factory = _text
    return connection


def _text(stored: bytes) -> str:
    """Text as it is stored. Bytes that are not UTF-8 become lone surrogates: one bad value must not end a query."""
    return stored.decode("utf-8", "surrogateescape")


def _add_missing(connection: sqlite3.Connection) -> None:
    """Adds what version 0.1.0 did not have, in a way in which its readers and writers can still share the folder."""
    missing = [table for table in ADDED_COLUMNS if not has_checksums(connection, table)]
    known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'history'").fetchone()
    if known and times.is_there(connection) and not missing:
        return
    with transaction(connection):
        for table in missing:
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {ADDED_COLUMNS[table]} INTEGER")
        connection.execute("CREATE TABLE IF NOT EXISTS history (generation INTEGER PRIMARY KEY, id TEXT NOT NULL)")
        connection.execute(times.TABLE)


def with_checksums(connection: sqlite3.Connection, table: str, query: str) -> str:
    """`query`, which reads the column `checksum` of `table`; NULL in its place if the table has none."""
    return query if has_checksums(connection, table) else query.replace("checksum", "NULL")


def has_checksums(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the rows of `table` have checksums: not before a version after 0.1.0 has written to the index."""
    return any(name == ADDED_COLUMNS[table] for _, name, *_ in connection.execute(f"PRAGMA table_info({table})"))


def _create(folder: Path) -> None:
    """Creates the database under a temporary name and renames it, so that no reader opens an incomplete one."""
    unfinished = folder / f"{DATABASE}.new"
    unfinished.unlink(missing_ok=True)
    connection = _connect(f"{unfinished.resolve().as_uri()}?mode=rwc")
    try:
        connection.executescript(f"BEGIN IMMEDIATE; {TABLES}")
        for key in ("generation", "last_vector", "last_row", "gone_since", "passages", "documents"):
            set_meta(connection, key, 0)
        set_meta(connection, "schema", SCHEMA_VERSION)
        connection.execute("INSERT INTO meta SELECT 'identity', lower(hex(randomblob(6)))")
        connection.execute("COMMIT")
    finally:
        connection.close()
    unfinished.replace(folder / DATABASE)


def check_version(folder: Path, connection: sqlite3.Connection) -> None:
    """Raises IndexTooNewError if a later version wrote this index, IndexStoreError if it is no index of ha_rag."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        raise IndexStoreError(
            f"{folder / DATABASE} is not an index of ha_rag, or is incomplete; delete it and ingest again"
        )
    found = meta(connection, "schema")
    if not isinstance(found, int):
        raise IndexStoreError(f"{folder / DATABASE} is not an index of ha_rag")
    if found > SCHEMA_VERSION:
        raise IndexTooNewError(
            f"the index at {folder} has schema version {found}, and this version of ha_rag supports up to "
            f"{SCHEMA_VERSION}; upgrade ha_rag, or set [index] path to another folder and ingest again"
        )


def meta(connection: sqlite3.Connection, key: str) -> int | str | None:
    """A value from the `meta` table, or None."""
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
    return found[0] if found else None


def meta_number(connection: sqlite3.Connection, key: str) -> int:
    """A number from the `meta` table; 0 if it is missing. Raises sqlite3.DatabaseError if it is no number."""
    found = meta(connection, key)
    if not isinstance(found, int | None):
        raise sqlite3.DatabaseError(f"malformed: {key} is not a number")
    return found or 0


def set_meta(connection: sqlite3.Connection, key: str, value: int | str) -> None:
    """Writes a value to the `meta` table in the current transaction."""
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Runs the block in a transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself rolls back when the disk is full
            connection.execute("ROLLBACK")
        raise
