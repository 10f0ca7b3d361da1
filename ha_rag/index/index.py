"""Index: read access to the documents for one process; it picks up new generations by itself."""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import HaRagError, IndexStoreError
from ha_rag.index.column import Column
from ha_rag.index.schema import DATABASE, meta_number, open_for_reading, translated
from ha_rag.index.snapshot import IndexSnapshot, load
from ha_rag.index.writer import IndexWriter
from ha_rag.messages import Embedding, Passage, Space

_PASSAGES = """
    SELECT row, document, number, text, title, heading FROM passages WHERE row IN (SELECT value FROM json_each(?))
"""

POLL_EVERY_S = 0.2
"""How often `poll` checks for a newer generation at most; a check costs about 10 us."""


@dataclass(frozen=True, slots=True)
class SpaceCoverage:
    """How many of the index's passages have a vector in one space."""

    space: Space
    vectors: int
    passages: int

    @property
    def complete(self) -> bool:
        """Whether every passage has a vector in this space."""
        return self.vectors >= self.passages


class Opened:
    """The connection through which an index reads; held apart from it, so that it can be closed after the index."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Closes it, if there is one."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Index:
    """The index in `folder`, for reading. Many processes may read while one writes. Safe across threads and tasks.

    A folder without an index is read as an empty one. A loaded generation stays searchable even if the files are
    deleted, replaced or damaged; `problem` then says what is wrong. A newer valid generation is loaded in the
    background, at most `POLL_EVERY_S` after the next `poll`.

    Searches raise IndexStoreError if nothing could be loaded yet, and IndexTooNewError if a later version wrote the
    index. Close it when done (it is a context manager); passages already returned stay valid.
    """

    def __init__(self, folder: Path | str, clock: Clock | None = None) -> None:
        self.folder = Path(folder)
        self._clock = clock or SystemClock()
        self._snapshot: IndexSnapshot | None = None
        self._opened = Opened()
        self._file: tuple[int, ...] | None = None
        self._error: HaRagError | None = None
        self._refreshing = threading.Lock()
        self._access = threading.Lock()
        self._poll_at_s = 0.0
        self.refresh()

    @property
    def problem(self) -> str | None:
        """Why the newest generation on disk cannot be used, as a sentence; None if it can."""
        if self._error is not None:
            return str(self._error)
        return "; ".join(self._snapshot.problems) or None if self._snapshot else None

    @property
    def exists(self) -> bool:
        """Whether there is an index on disk."""
        return (self.folder / DATABASE).exists()

    @property
    def loaded(self) -> bool:
        """Whether it can be searched: some generation has been loaded, even an empty or outdated one."""
        return self._snapshot is not None

    @property
    def snapshot(self) -> IndexSnapshot:
        """The loaded generation. Raises IndexStoreError if none could be loaded."""
        if self._snapshot is None:
            raise self._error or IndexStoreError(f"the index at {self.folder} could not be loaded")
        return self._snapshot

    @property
    def passages(self) -> int:
        """The number of passages."""
        return self.snapshot.passages

    @property
    def documents(self) -> int:
        """The number of documents."""
        return self.snapshot.documents

    def spaces(self) -> list[SpaceCoverage]:
        """The coverage of each space that has vectors."""
        return [SpaceCoverage(space, len(column), self.passages) for space, column in self.snapshot.columns.items()]

    def column(self, embedding: Embedding) -> Column | None:
        """The column in the embedding's space; None if there is none or the embedding is all zeros."""
        if embedding.space is None:
            return None
        column = self.snapshot.columns.get(embedding.space)
        if column is None or not len(column) or embedding.vector.shape != (embedding.space.dimension,):
            return None
        return column if embedding.vector.any() else None

    def passages_of(self, hits: list[tuple[int, float]]) -> list[Passage]:
        """The passages of (row, score) pairs, in the same order; passages deleted since the search are left out."""
        if not hits:
            return []
        rows = json.dumps([row for row, _ in hits])
        with self._access, translated(self.folder):
            if self._opened.connection is None:
                return []
            found = {row: rest for row, *rest in self._opened.connection.execute(_PASSAGES, (rows,))}
        return [_passage(found[row], score) for row, score in hits if row in found]

    def holds(self, document: str, digest: str) -> bool:
        """Whether the index holds a document with this id and this content."""
        query = "SELECT 1 FROM documents WHERE id = ? AND digest = ?"
        with self._access, translated(self.folder):
            if self._opened.connection is None:
                return False
            return self._opened.connection.execute(query, (document, digest)).fetchone() is not None

    def poll(self) -> None:
        """Checks for a newer generation, at most every `POLL_EVERY_S`, and loads it in the background. Never waits."""
        now_s = self._clock.monotonic_s()
        if now_s < self._poll_at_s:
            return
        self._poll_at_s = now_s + POLL_EVERY_S
        if not self._refreshing.locked() and self._is_behind():
            threading.Thread(target=self.refresh, name="ha_rag-index", daemon=True).start()

    def refresh(self) -> None:
        """Loads the newest generation and swaps it in; keeps the current one if that fails (see `problem`)."""
        with self._refreshing:
            try:
                self._load_newest()
            except HaRagError as error:
                self._error = error

    def _is_behind(self) -> bool:
        if self._error is not None or self._file != self._identity_of_file():
            return True
        if self._opened.connection is None:
            return False
        try:
            with self._access:
                generation = meta_number(self._opened.connection, "generation")
        except sqlite3.Error:
            return True
        return self._snapshot is None or generation != self._snapshot.generation

    def _identity_of_file(self) -> tuple[int, ...] | None:
        try:
            status = (self.folder / DATABASE).stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def _load_newest(self) -> None:
        file = self._identity_of_file()
        if file is None:
            self._missing()
            return
        connection = open_for_reading(self.folder)
        try:
            with translated(self.folder):
                snapshot = load(self.folder, connection, self._snapshot or IndexSnapshot())
        except BaseException:
            connection.close()
            raise
        self._swap(snapshot, connection, file)

    def _missing(self) -> None:
        if self._snapshot is None or not self._snapshot.generation:
            self._snapshot, self._error = IndexSnapshot(), None
        else:
            self._error = IndexStoreError(
                f"the index at {self.folder} is gone; questions are still answered from the last loaded generation"
            )

    def _swap(self, snapshot: IndexSnapshot, connection: sqlite3.Connection, file: tuple[int, ...]) -> None:
        with self._access:
            old, self._opened.connection = self._opened.connection, connection
            self._snapshot, self._file, self._error = snapshot, file, None
        if old is not None:
            old.close()

    def writer(self, *, threads: int = 1) -> IndexWriter:
        """A writer for the same folder (a context manager). Call `refresh` afterwards to see its changes at once."""
        return IndexWriter(self.folder, threads=threads)

    def close(self) -> None:
        """Closes the files. Later searches find nothing."""
        with self._refreshing, self._access:
            self._opened.close()
            self._snapshot, self._error = IndexSnapshot(), None

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _passage(fields: list[str], score: float) -> Passage:
    document, number_in_document, text, title, heading = fields
    return Passage(
        document=document, id=f"{document}#{number_in_document}", text=text, score=score, title=title, heading=heading
    )
