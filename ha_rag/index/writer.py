"""IndexWriter: changes the index, in steps that survive a crash at any point."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ha_rag.errors import IndexStoreError
from ha_rag.index.document import Chunk, Document, searchable
from ha_rag.index.lock import WriterLock
from ha_rag.index.publishing import publish, recover
from ha_rag.index.schema import DEAD, FRESH, open_for_writing, translated
from ha_rag.messages import Space, Vector

_WITHOUT_VECTOR = """
    FROM passages WHERE state <> ? AND NOT EXISTS (
        SELECT 1 FROM vectors JOIN spaces ON spaces.id = vectors.space
        WHERE passage = row AND model = ? AND revision = ? AND dimension = ?)"""


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document in the index. `digest`: of the text it was made from."""

    id: str
    source: str
    digest: str


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A passage without a vector in some space. `text`: the text to embed."""

    row: int
    text: str


class IndexWriter:
    """Changes an index. A context manager: entering takes the lock and completes changes that a crash interrupted.

    Changes become visible to readers at `commit`; leaving without a commit discards them. For one thread at a time.
    `threads`: to build a vector graph with; one, unless the process has nothing else to do. Entering raises
    IndexBusyError, IndexReadOnlyError or IndexTooNewError. Any method raises IndexStoreError if the disk is full or a
    file is damaged; committed changes are unaffected.
    """

    def __init__(self, folder: Path | str, *, threads: int = 1) -> None:
        self.folder = Path(folder)
        self._threads = threads
        self._stack = ExitStack()
        self._connection: sqlite3.Connection | None = None
        self._spaces: dict[Space, int] = {}

    def __enter__(self) -> IndexWriter:
        with ExitStack() as stack:
            stack.enter_context(WriterLock(self.folder))
            self._connection = open_for_writing(self.folder)
            stack.callback(self._connection.close)
            with translated(self.folder):
                recover(self.folder, self._connection, self._threads)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection = None
        self._spaces.clear()
        self._stack.close()

    @property
    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            raise IndexStoreError("this writer is not open; open it with `with index.writer() as writer:`")
        return self._connection

    def _changing(self) -> sqlite3.Connection:
        database = self._database
        if not database.in_transaction:
            database.execute("BEGIN IMMEDIATE")
        return database

    def document(self, document: str) -> IndexedDocument | None:
        """The indexed document with this id."""
        return self._one("SELECT id, source, digest FROM documents WHERE id = ?", document)

    def document_from(self, source: str) -> IndexedDocument | None:
        """The indexed document that was read from `source`."""
        return self._one("SELECT id, source, digest FROM documents WHERE source = ?", source)

    def _one(self, query: str, value: str) -> IndexedDocument | None:
        with translated(self.folder):
            found = self._database.execute(query, (value,)).fetchone()
        return IndexedDocument(*found) if found else None

    def documents(self) -> list[IndexedDocument]:
        """All documents in the index."""
        with translated(self.folder):
            rows = self._database.execute("SELECT id, source, digest FROM documents")
            return [IndexedDocument(*row) for row in rows]

    def put(
        self,
        document: Document,
        chunks: Sequence[Chunk],
        vectors: Mapping[Space, Sequence[Vector | None]] | None = None,
    ) -> None:
        """Adds a document, or replaces the one with the same id. `vectors`: per space, a vector or None per chunk."""
        with translated(self.folder):
            database = self._changing()
            self._mark_dead(database, document.id)
            database.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                (document.id, document.title, document.source, document.digest, json.dumps(dict(document.metadata))),
            )
            rows = [self._put_chunk(database, document.id, n, chunk) for n, chunk in enumerate(chunks)]
            for space, column in (vectors or {}).items():
                self.put_vectors(space, dict(zip(rows, column, strict=True)))

    @staticmethod
    def _put_chunk(database: sqlite3.Connection, document: str, n: int, chunk: Chunk) -> int:
        fields = (document, n, chunk.title, chunk.heading, chunk.text, FRESH)
        query = "INSERT INTO passages (document, number, title, heading, text, state) VALUES (?, ?, ?, ?, ?, ?)"
        return int(database.execute(query, fields).lastrowid or 0)

    def put_vectors(self, space: Space, vectors: Mapping[int, Vector | None]) -> None:
        """Adds vectors of unit length by row. Rows with None are skipped, and existing vectors are kept."""
        with translated(self.folder):
            database = self._changing()
            key = self._key_of(database, space)
            database.executemany(
                "INSERT OR IGNORE INTO vectors (space, passage, vector) VALUES (?, ?, ?)",
                ((key, row, _blob(space, vector)) for row, vector in vectors.items() if vector is not None),
            )

    def _key_of(self, database: sqlite3.Connection, space: Space) -> int:
        if space not in self._spaces:
            identity = (space.model, space.revision, space.dimension)
            database.execute("INSERT OR IGNORE INTO spaces (model, revision, dimension) VALUES (?, ?, ?)", identity)
            query = "SELECT id FROM spaces WHERE model = ? AND revision = ? AND dimension = ?"
            self._spaces[space] = database.execute(query, identity).fetchone()[0]
        return self._spaces[space]

    def delete(self, document: str) -> bool:
        """Deletes a document. False if there was none with that id."""
        with translated(self.folder):
            database = self._changing()
            self._mark_dead(database, document)
            return database.execute("DELETE FROM documents WHERE id = ?", (document,)).rowcount > 0

    @staticmethod
    def _mark_dead(database: sqlite3.Connection, document: str) -> None:
        database.execute("UPDATE passages SET state = ? WHERE document = ?", (DEAD, document))

    def unembedded(self, space: Space, limit: int, after_row: int = 0) -> list[Unembedded]:
        """At most `limit` passages without a vector in `space`, ordered by row, starting after `after_row`."""
        query = f"SELECT row, title, heading, text {_WITHOUT_VECTOR} AND row > ? ORDER BY row LIMIT ?"
        values = (DEAD, space.model, space.revision, space.dimension, after_row, limit)
        with translated(self.folder):
            return [Unembedded(row, searchable(*words)) for row, *words in self._database.execute(query, values)]

    def count_unembedded(self, space: Space) -> int:
        """The number of passages without a vector in `space`."""
        values = (DEAD, space.model, space.revision, space.dimension)
        with translated(self.folder):
            return int(self._database.execute(f"SELECT count(*) {_WITHOUT_VECTOR}", values).fetchone()[0])

    def commit(self) -> None:
        """Makes all changes so far durable and, in one step, visible to readers."""
        with translated(self.folder):
            database = self._database
            if database.in_transaction:
                database.execute("COMMIT")
                publish(self.folder, database, self._threads)


def _blob(space: Space, vector: Vector) -> bytes:
    if vector.shape != (space.dimension,):
        raise IndexStoreError(f"a vector of shape {vector.shape} does not fit space {space}")
    return np.ascontiguousarray(vector, np.float32).tobytes()
