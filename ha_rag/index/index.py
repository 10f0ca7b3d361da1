"""Index: read access to the documents for one process; it picks up new generations by itself."""

from __future__ import annotations

import logging
import threading
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import HaRagError, IndexStoreError, is_exit
from ha_rag.index.column import Column
from ha_rag.index.file_state import FileState, file_state, has_remains
from ha_rag.index.loading import load
from ha_rag.index.schema import DATABASE, open_for_reading, translated
from ha_rag.index.snapshot import IndexSnapshot
from ha_rag.index.writer import IndexWriter
from ha_rag.messages import Embedding, Passage, Space

log = logging.getLogger(__name__)

POLL_EVERY_S = 0.2
"""How often `poll` checks for a newer generation at most; a check costs about 10 us."""
RETRY_PAUSE = 5
"""A load that failed is tried again after so many times what it took."""


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


class Index:
    """The index in `folder`, for reading. Many processes may read while one writes. Safe across threads and tasks.

    A folder that is missing or empty is read as an empty index. What is loaded is checked and copied, so it stays
    searchable even if the files are deleted, replaced or damaged. Damage that a load finds is named in `problem`; a
    damaged passage or vector is left out, and a damaged lexical index or vector graph is done without. A newer
    generation, or another history (a restored backup), is loaded in the background, at most `POLL_EVERY_S` after the
    next `poll`.

    Searches raise IndexStoreError if nothing could be loaded yet, and IndexTooNewError if a later version wrote the
    index. Close it when done (it is a context manager); passages already returned stay valid.
    """

    def __init__(self, folder: Path | str, clock: Clock | None = None) -> None:
        self.folder = Path(folder)
        self._clock = clock or SystemClock()
        self._snapshot: IndexSnapshot | None = None
        self._file: FileState | None = None
        self._error: HaRagError | None = None
        self._refreshing = threading.Lock()
        self._poll_at_s = 0.0
        self._retry_at_s = 0.0
        self.refresh()

    @property
    def problem(self) -> str | None:
        """Why the newest generation on disk cannot be used, as a sentence; None if it can."""
        if self._error is not None:
            return str(self._error)
        return "; ".join(self._snapshot.problems) or None if self._snapshot else None

    @property
    def exists(self) -> bool:
        """Whether there is an index on disk. Raises IndexStoreError if that cannot be seen."""
        return self._state_of_files() is not None

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
        return self.snapshot.column(embedding)

    def passages_of(self, hits: list[tuple[int, float]]) -> list[Passage]:
        """The passages of (row, score) pairs, in the same order; those that are not in the index are left out."""
        return [passage for _, passage in self.snapshot.passages_of(hits)]

    def holds(self, document: str, digest: str) -> bool:
        """Whether the index on disk holds a document with this id and this content. Raises IndexStoreError."""
        if not self.exists:
            return False
        with translated(self.folder), closing(open_for_reading(self.folder)) as connection:
            query = "SELECT 1 FROM documents WHERE id = ? AND digest = ?"
            return connection.execute(query, (document, digest)).fetchone() is not None

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
            began_s = self._clock.monotonic_s()
            try:
                self._load_newest()
            except HaRagError as error:
                self._error = error
            except BaseException as error:
                if is_exit(error):
                    raise
                self._error = self._unforeseen(error)
            now_s = self._clock.monotonic_s()
            self._retry_at_s = now_s + RETRY_PAUSE * (now_s - began_s)

    def _unforeseen(self, error: BaseException) -> IndexStoreError:
        translated_error = IndexStoreError(
            f"the index at {self.folder} could not be loaded ({type(error).__name__}: {error}); restore a backup, or "
            "delete the folder and ingest again"
        )
        if str(self._error) != str(translated_error):  # a load is tried again and again
            log.error("the index at %s could not be loaded", self.folder, exc_info=error)
        return translated_error

    def changed_since(self, snapshot: IndexSnapshot) -> bool:
        """Whether there is another generation than `snapshot`; loads it if so."""
        if self._snapshot is snapshot and self._is_behind():
            self.refresh()
        return self._snapshot is not snapshot

    def _is_behind(self) -> bool:
        if self._error is not None:
            return self._clock.monotonic_s() >= self._retry_at_s
        try:
            return self._file != file_state(self.folder) or (self._file is not None and not self._file.settled)
        except OSError:
            return True

    def _load_newest(self) -> None:
        file = self._state_of_files()
        if file is None:
            self._missing()
            return
        with translated(self.folder), closing(open_for_reading(self.folder)) as connection:
            snapshot = load(self.folder, connection, self._snapshot or IndexSnapshot())
        self._snapshot, self._file, self._error = snapshot, file, None

    def _has_remains(self) -> bool:
        try:
            return has_remains(self.folder)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> IndexStoreError:
        return IndexStoreError(f"the index at {self.folder} cannot be read: {error.strerror}")

    def _state_of_files(self) -> FileState | None:
        try:
            return file_state(self.folder)
        except OSError as error:
            raise self._unreadable(error) from error

    def _missing(self) -> None:
        if self._snapshot is not None and self._snapshot.generation:
            raise IndexStoreError(
                f"the index at {self.folder} is gone; questions are still answered from the last loaded generation"
            )
        if self._has_remains():
            raise IndexStoreError(
                f"{self.folder / DATABASE} is missing, although other files of the index are there; restore a backup, "
                "or ingest again"
            )
        self._snapshot, self._file, self._error = IndexSnapshot(), None, None

    def writer(self, *, threads: int = 1) -> IndexWriter:
        """A writer for the same folder (a context manager). Call `refresh` afterwards to see its changes at once."""
        return IndexWriter(self.folder, threads=threads, clock=self._clock)

    def close(self) -> None:
        """Closes the files. Later searches find nothing."""
        with self._refreshing:
            if self._snapshot is not None and self._snapshot.store is not None:
                self._snapshot.store.close()
            self._snapshot, self._error = IndexSnapshot(), None

    def __enter__(self) -> Index:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
