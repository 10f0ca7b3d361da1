"""IndexWriter: the one process that changes the index, in steps that survive a crash at any moment."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ha_rag.errors import IndexStoreError
from ha_rag.index.document import Document, Piece, searchable
from ha_rag.index.lock import WriterLock
from ha_rag.index.publishing import publish, recover
from ha_rag.index.schema import DEAD, FRESH, open_for_writing, translated
from ha_rag.messages import Space, Vector

_WITHOUT_VECTOR = """
    FROM passages WHERE state <> ? AND NOT EXISTS (
        SELECT 1 FROM vectors JOIN spaces ON spaces.id = vectors.space
        WHERE passage = row AND model = ? AND revision = ? AND dimension = ?)"""


@dataclass(frozen=True, slots=True)
class Known:
    """What the index knows of a document. `digest`: of the text it was made from."""

    id: str
    source: str
    digest: str


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A passage without a vector in some space. `text`: what is to be embedded."""

    row: int
    text: str


class IndexWriter:
    """Changes an index. Use it as a context manager: entering takes the lock and finishes what a crash left undone.

    Changes are collected and seen by nobody until `commit`; leaving without a commit drops them. For one thread at a
    time. Raises IndexBusyError, IndexReadOnlyError, IndexTooNewError on entering, IndexStoreError from any verb
    (a full disk, a damaged file); what was committed before is untouched then. `threads`: what a vector graph is built
    with; one, unless the process has nothing else to do.
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
            raise IndexStoreError("this writer is not open; use it as `with index.writer() as writer:`")
        return self._connection

    def _changing(self) -> sqlite3.Connection:
        database = self._database
        if not database.in_transaction:
            database.execute("BEGIN IMMEDIATE")
        return database

    def document(self, document: str) -> Known | None:
        """What is known of a document, by its id."""
        return self._known("SELECT id, source, digest FROM documents WHERE id = ?", document)

    def document_from(self, source: str) -> Known | None:
        """What is known of the document that came from `source`."""
        return self._known("SELECT id, source, digest FROM documents WHERE source = ?", source)

    def _known(self, query: str, value: str) -> Known | None:
        with translated(self.folder):
            found = self._database.execute(query, (value,)).fetchone()
        return Known(*found) if found else None

    def documents(self) -> list[Known]:
        """Every document that the index holds."""
        with translated(self.folder):
            return [Known(*fields) for fields in self._database.execute("SELECT id, source, digest FROM documents")]

    def put(
        self,
        document: Document,
        pieces: Sequence[Piece],
        vectors: Mapping[Space, Sequence[Vector | None]] | None = None,
    ) -> None:
        """Adds a document, or replaces the one of the same id. `vectors`: by space, one (or None) for each piece."""
        with translated(self.folder):
            database = self._changing()
            self._bury(database, document.id)
            database.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                (document.id, document.title, document.source, document.digest, json.dumps(dict(document.metadata))),
            )
            rows = [self._put_piece(database, document.id, n, piece) for n, piece in enumerate(pieces)]
            for space, column in (vectors or {}).items():
                self.put_vectors(space, dict(zip(rows, column, strict=True)))

    @staticmethod
    def _put_piece(database: sqlite3.Connection, document: str, n: int, piece: Piece) -> int:
        fields = (document, n, piece.title, piece.heading, piece.text, FRESH)
        query = "INSERT INTO passages (document, number, title, heading, text, state) VALUES (?, ?, ?, ?, ?, ?)"
        return int(database.execute(query, fields).lastrowid or 0)

    def put_vectors(self, space: Space, vectors: Mapping[int, Vector | None]) -> None:
        """Fills a column: row -> vector of length one; None leaves the gap. Vectors that are there already stay."""
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
        """Takes a document out. False where there was none of that id."""
        with translated(self.folder):
            database = self._changing()
            self._bury(database, document)
            return database.execute("DELETE FROM documents WHERE id = ?", (document,)).rowcount > 0

    @staticmethod
    def _bury(database: sqlite3.Connection, document: str) -> None:
        database.execute("UPDATE passages SET state = ? WHERE document = ?", (DEAD, document))

    def unembedded(self, space: Space, limit: int, after_row: int = 0) -> list[Unembedded]:
        """At most `limit` passages without a vector in `space`, in the order of their rows, beginning after one."""
        query = f"SELECT row, title, heading, text {_WITHOUT_VECTOR} AND row > ? ORDER BY row LIMIT ?"
        values = (DEAD, space.model, space.revision, space.dimension, after_row, limit)
        with translated(self.folder):
            return [Unembedded(row, searchable(*words)) for row, *words in self._database.execute(query, values)]

    def count_unembedded(self, space: Space) -> int:
        """How many passages have no vector in `space`."""
        values = (DEAD, space.model, space.revision, space.dimension)
        with translated(self.folder):
            return int(self._database.execute(f"SELECT count(*) {_WITHOUT_VECTOR}", values).fetchone()[0])

    def commit(self) -> None:
        """Makes every change so far durable and, in one step, visible to all readers."""
        with translated(self.folder):
            database = self._database
            if database.in_transaction:
                database.execute("COMMIT")
                publish(self.folder, database, self._threads)

    def rollback(self) -> None:
        """Drops what was not committed."""
        with translated(self.folder):
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            self._spaces.clear()


def _blob(space: Space, vector: Vector) -> bytes:
    if vector.shape != (space.dimension,):
        raise IndexStoreError(f"a vector of shape {vector.shape} does not belong to space {space}")
    return np.ascontiguousarray(vector, np.float32).tobytes()
