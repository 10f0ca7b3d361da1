"""Index: the documents as one process reads them, renewed by itself after an ingest."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import HaRagError, IndexStoreError
from ha_rag.index.column import Column
from ha_rag.index.schema import DATABASE, number, open_for_reading, translated
from ha_rag.index.snapshot import Snapshot, load
from ha_rag.index.writer import IndexWriter
from ha_rag.messages import Embedding, Passage, Space

_PASSAGES = """
    SELECT row, document, number, text, title, heading FROM passages WHERE row IN (SELECT value FROM json_each(?))
"""

LOOK_EVERY_S = 0.2
"""How often a question may make the index look whether there is something newer; a look costs about 10 us."""


@dataclass(frozen=True, slots=True)
class Held:
    """What the index holds of one space. `complete`: every passage has a vector."""

    space: Space
    vectors: int
    passages: int

    @property
    def complete(self) -> bool:
        """Whether every passage has a vector in this space."""
        return self.vectors >= self.passages


class Index:
    """The index in `folder`, for reading; many processes may read while one writes. Safe across threads and tasks.

    A folder without an index reads as empty, until there is one. What was loaded stays searchable whatever happens
    to the files: deleted, replaced, half-written. `problem` says what is wrong then, and the next good state is
    taken up by itself, at the latest `LOOK_EVERY_S` after a question.

    Raises, from searches: IndexStoreError where nothing could be loaded yet, IndexTooNewError where a later version
    wrote it. Close it when done (it is a context manager); a searcher's passages stay valid.
    """

    def __init__(self, folder: Path | str, clock: Clock | None = None) -> None:
        self.folder = Path(folder)
        self._clock = clock or SystemClock()
        self._snapshot: Snapshot | None = None
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, ...] | None = None
        self._error: HaRagError | None = None
        self._renewal = threading.Lock()
        self._access = threading.Lock()
        self._look_at_s = 0.0
        self.refresh()

    @property
    def problem(self) -> str | None:
        """Why the newest state on disk cannot be used, as a sentence; None where all is well."""
        if self._error is not None:
            return str(self._error)
        return "; ".join(self._snapshot.problems) or None if self._snapshot else None

    @property
    def exists(self) -> bool:
        """Whether there is an index on disk."""
        return (self.folder / DATABASE).exists()

    @property
    def loaded(self) -> bool:
        """Whether questions can be answered from it: some state was read, be it empty or no longer the newest."""
        return self._snapshot is not None

    @property
    def snapshot(self) -> Snapshot:
        """The generation that questions are answered from. Raises IndexStoreError where none could be loaded."""
        if self._snapshot is None:
            raise self._error or IndexStoreError(f"the index at {self.folder} could not be loaded")
        return self._snapshot

    @property
    def corpus_version(self) -> str:
        """Changes whenever what can be found changes; the same for all readers of one index."""
        return f"{self.snapshot.identity}.{self.snapshot.generation}"

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self.snapshot.passages

    @property
    def documents(self) -> int:
        """How many documents there are."""
        return self.snapshot.documents

    def spaces(self) -> list[Held]:
        """Every space held, and how complete its column is."""
        return [Held(space, len(column), self.passages) for space, column in self.snapshot.columns.items()]

    def column(self, embedding: Embedding) -> Column | None:
        """The column that this embedding may be compared with; None where its space is not held, or it is all zeros."""
        if embedding.space is None:
            return None
        column = self.snapshot.columns.get(embedding.space)
        if column is None or not len(column) or embedding.vector.shape != (embedding.space.dimension,):
            return None
        return column if embedding.vector.any() else None

    def passages_of(self, hits: list[tuple[int, float]]) -> list[Passage]:
        """The passages of (row, score) pairs, in their order; those deleted in the meantime are left out."""
        if not hits:
            return []
        rows = json.dumps([row for row, _ in hits])
        with self._access, translated(self.folder):
            if self._connection is None:
                return []
            found = {row: rest for row, *rest in self._connection.execute(_PASSAGES, (rows,))}
        return [_passage(found[row], score) for row, score in hits if row in found]

    def holds(self, document: str, digest: str) -> bool:
        """Whether the index holds a document with this id and this content."""
        query = "SELECT 1 FROM documents WHERE id = ? AND digest = ?"
        with self._access, translated(self.folder):
            if self._connection is None:
                return False
            return self._connection.execute(query, (document, digest)).fetchone() is not None

    def look(self) -> None:
        """Notices a newer state and has it loaded in the background; costs next to nothing, and never waits."""
        now_s = self._clock.monotonic_s()
        if now_s < self._look_at_s:
            return
        self._look_at_s = now_s + LOOK_EVERY_S
        if not self._renewal.locked() and self._is_behind():
            threading.Thread(target=self.refresh, name="ha_rag-index", daemon=True).start()

    def refresh(self) -> None:
        """Loads the newest state and swaps it in at once; keeps what it has where that fails (see `problem`)."""
        with self._renewal:
            try:
                self._renew()
            except HaRagError as error:
                self._error = error

    def _is_behind(self) -> bool:
        if self._error is not None or self._file != self._identity_of_file():
            return True
        if self._connection is None:
            return False
        try:
            with self._access:
                generation = number(self._connection, "generation")
        except sqlite3.Error:
            return True
        return self._snapshot is None or generation != self._snapshot.generation

    def _identity_of_file(self) -> tuple[int, ...] | None:
        try:
            status = (self.folder / DATABASE).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def _renew(self) -> None:
        file = self._identity_of_file()
        if file is None:
            self._missing()
            return
        connection = open_for_reading(self.folder)
        try:
            with translated(self.folder):
                snapshot = load(self.folder, connection, self._snapshot or Snapshot())
        except BaseException:
            connection.close()
            raise
        self._swap(snapshot, connection, file)

    def _missing(self) -> None:
        if self._snapshot is None or not self._snapshot.generation:
            self._snapshot, self._error = Snapshot(), None
        else:
            self._error = IndexStoreError(f"the index at {self.folder} is gone; answering from what was loaded before")

    def _swap(self, snapshot: Snapshot, connection: sqlite3.Connection, file: tuple[int, ...]) -> None:
        with self._access:
            old, self._connection = self._connection, connection
            self._snapshot, self._file, self._error = snapshot, file, None
        if old is not None:
            old.close()

    def writer(self, *, threads: int = 1) -> IndexWriter:
        """A writer to the same folder; a context manager. Call `refresh` afterwards to see its work here at once."""
        return IndexWriter(self.folder, threads=threads)

    def close(self) -> None:
        """Lets go of the files. A search afterwards finds no passages."""
        with self._renewal, self._access:
            if self._connection is not None:
                self._connection.close()
            self._connection, self._snapshot, self._error = None, Snapshot(), None

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _passage(fields: list[str], score: float) -> Passage:
    document, number_in_document, text, title, heading = fields
    return Passage(
        document=document, id=f"{document}#{number_in_document}", text=text, score=score, title=title, heading=heading
    )
