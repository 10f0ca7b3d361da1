"""IndexWriter: changes the index, in steps that survive a crash at any point."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import IndexStoreError
from ha_rag.index import samples, times
from ha_rag.index.checksums import is_text, passage_checksum, vector_checksum
from ha_rag.index.document import Chunk, Document, searchable
from ha_rag.index.examining import Damage, examine
from ha_rag.index.history import RowIds
from ha_rag.index.indexed_documents import IndexedDocument, IndexedDocuments
from ha_rag.index.lock import WriterLock
from ha_rag.index.publishing import publish, recover
from ha_rag.index.repairing import is_needed, repair, still_damaged
from ha_rag.index.schema import DEAD, FRESH, open_for_writing, translated
from ha_rag.index.sources import is_sample
from ha_rag.index.upgrading import count_outdated, note_version
from ha_rag.messages import Space, Vector

_WITHOUT_VECTOR = """
    FROM passages WHERE state <> ? AND NOT EXISTS (
        SELECT 1 FROM vectors JOIN spaces ON spaces.id = vectors.space
        WHERE passage = row AND model = ? AND revision = ? AND dimension = ?)"""


_PUT_PASSAGE = """
    INSERT INTO passages (row, document, number, title, heading, text, state, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_PUT_VECTOR = "INSERT OR IGNORE INTO vectors (id, space, passage, vector, checksum) VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A passage without a vector in some space. `text`: the text to embed."""

    row: int
    text: str


class IndexWriter:
    """Changes an index. A context manager: entering takes the lock and completes changes that a crash interrupted.

    Changes become visible to readers at `commit`; leaving without a commit discards them. For one thread at a time.
    `threads`: to build a vector graph with; one, unless the process has nothing else to do. `clock`: for the times that
    a list of documents shows. `samples_out`: how many sample documents have been deleted, which the first document of
    the user does. Entering raises IndexBusyError, IndexReadOnlyError or IndexTooNewError. Any method raises
    IndexStoreError if the disk is full or a file is damaged; committed changes are unaffected.
    """

    def __init__(self, folder: Path | str, *, threads: int = 1, clock: Clock | None = None) -> None:
        self.folder = Path(folder)
        self._threads = threads
        self._clock = clock or SystemClock()
        self._stack = ExitStack()
        self._connection: sqlite3.Connection | None = None
        self._spaces: dict[Space, int] = {}
        self._row_ids: RowIds | None = None
        self.samples_out = 0

    def __enter__(self) -> IndexWriter:
        with ExitStack() as stack:
            stack.enter_context(WriterLock(self.folder))
            self._connection = open_for_writing(self.folder)
            stack.callback(self._connection.close)
            with translated(self.folder):
                recover(self.folder, self._connection, self._threads)
                samples.mark_those_of_0_1_0(self._connection)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection = self._row_ids = None
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
        return IndexedDocuments(self.folder, self._database).document(document)

    def document_from(self, source: str) -> IndexedDocument | None:
        """The indexed document that was read from `source`."""
        return IndexedDocuments(self.folder, self._database).document_from(source)

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
            if not is_sample(document.source) and not samples.are_over(database):
                self._end_samples(database)
            self._mark_dead(database, document.id)
            database.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, ?)",
                (document.id, document.title, document.source, document.digest, json.dumps(dict(document.metadata))),
            )
            times.note(database, document.id, document.digest, self._clock.unix_ms())
            rows = [self._put_chunk(database, document.id, n, chunk) for n, chunk in enumerate(chunks)]
            for space, column in (vectors or {}).items():
                self.put_vectors(space, dict(zip(rows, column, strict=True)))

    def _put_chunk(self, database: sqlite3.Connection, document: str, n: int, chunk: Chunk) -> int:
        row = self._ids(database).next("passages")
        fields = (row, document, n, chunk.title, chunk.heading, chunk.text)
        database.execute(_PUT_PASSAGE, (*fields, FRESH, passage_checksum(*fields)))
        return row

    def _ids(self, database: sqlite3.Connection) -> RowIds:
        if self._row_ids is None:
            self._row_ids = RowIds(database)
        return self._row_ids

    def put_vectors(self, space: Space, vectors: Mapping[int, Vector | None]) -> None:
        """Adds vectors of unit length by row. Rows with None are skipped, and existing vectors are kept."""
        with translated(self.folder):
            database = self._changing()
            key = self._key_of(database, space)
            ids = self._ids(database)
            for row, vector in vectors.items():
                if vector is not None:
                    stored = (ids.next("vectors"), key, row, _blob(space, vector))
                    database.execute(_PUT_VECTOR, (*stored, vector_checksum(*stored)))

    def _key_of(self, database: sqlite3.Connection, space: Space) -> int:
        if space not in self._spaces:
            identity = (space.model, space.revision, space.dimension)
            database.execute("INSERT OR IGNORE INTO spaces (model, revision, dimension) VALUES (?, ?, ?)", identity)
            query = "SELECT id FROM spaces WHERE model = ? AND revision = ? AND dimension = ?"
            self._spaces[space] = database.execute(query, identity).fetchone()[0]
        return self._spaces[space]

    def move(self, document: str, source: str) -> None:
        """Notes that a document is read from another place now."""
        with translated(self.folder):
            self._changing().execute("UPDATE documents SET source = ? WHERE id = ?", (source, document))

    def delete(self, document: str) -> bool:
        """Deletes a document. False if there was none with that id. No sample comes back after this."""
        with translated(self.folder):
            database = self._changing()
            samples.come_no_more(database)
            return self._delete(database, document)

    def _delete(self, database: sqlite3.Connection, document: str) -> bool:
        self._mark_dead(database, document)
        times.forget(database, document)
        return database.execute("DELETE FROM documents WHERE id = ?", (document,)).rowcount > 0

    def wants_samples(self) -> bool:
        """Whether the index holds nothing of the user, and never did."""
        with translated(self.folder):
            return samples.are_wanted(self._database)

    def end_samples(self) -> None:
        """Deletes the sample documents, for ever: the index holds something of the user."""
        with translated(self.folder):
            if not samples.are_over(self._database):
                self._end_samples(self._changing())

    def _end_samples(self, database: sqlite3.Connection) -> None:
        self.samples_out += sum(self._delete(database, name) for name in samples.to_end(database))
        samples.come_no_more(database)

    def end_other_samples(self, kept: Iterable[str]) -> None:
        """Deletes the sample documents with other ids than `kept`."""
        with translated(self.folder):
            for name in samples.to_end(self._database, frozenset(kept)):
                self._delete(self._changing(), name)

    @staticmethod
    def _mark_dead(database: sqlite3.Connection, document: str) -> None:
        database.execute("UPDATE passages SET state = ? WHERE document = ?", (DEAD, document))

    def unembedded(self, space: Space, limit: int, after_row: int = 0) -> list[Unembedded]:
        """At most `limit` passages without a vector in `space`, ordered by row, starting after `after_row`."""
        query = f"SELECT row, title, heading, text {_WITHOUT_VECTOR} AND row > ? ORDER BY row LIMIT ?"
        values = (DEAD, space.model, space.revision, space.dimension, after_row, limit)
        with translated(self.folder):
            found = self._database.execute(query, values).fetchall()
        return [Unembedded(row, searchable(*words)) for row, *words in found if all(map(is_text, words))]

    def count_unembedded(self, space: Space) -> int:
        """The number of passages without a vector in `space`."""
        values = (DEAD, space.model, space.revision, space.dimension)
        with translated(self.folder):
            return int(self._database.execute(f"SELECT count(*) {_WITHOUT_VECTOR}", values).fetchone()[0])

    def mend(self) -> Damage:
        """Examines every row, repairs what can be repaired, and returns what was damaged (`ha_rag.index.repairing`).

        Takes as long as reading the whole database. Raises IndexStoreError if it is damaged beyond repair.
        """
        damage = examine(self.folder, self._database)
        with translated(self.folder):
            if is_needed(self._database, damage):
                repair(self._changing(), damage)
        self.commit()
        with translated(self.folder):
            note_version(self._database, damage.unsigned_passages)
        return damage

    def count_outdated(self, space: Space, paths: Sequence[Path]) -> int:
        """How many passages in `space` the next ingest of `paths` makes anew, since an earlier version made them."""
        with translated(self.folder):
            return count_outdated(self._database, space, paths)

    def still_damaged(self) -> list[str]:
        """The documents with a damaged passage whose source has not been read again."""
        with translated(self.folder):
            return still_damaged(self._database)

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
