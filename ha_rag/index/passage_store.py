"""PassageStore: a reader's own copy of the passages, checked once and then safe from whatever happens to the index."""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
import threading
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ha_rag.errors import IndexStoreError
from ha_rag.index.document import PassageText
from ha_rag.index.private_copy import no_space
from ha_rag.index.schema import transaction
from ha_rag.messages import Passage

StoredPassage = tuple[int, str, int, str, str, str]
"""Row, document, number in the document, title, heading, text."""

_TABLE = "CREATE TABLE passages (row INTEGER PRIMARY KEY, document, number, title, heading, text)"
_FOUND = """
    SELECT row, document, number, text, title, heading FROM passages WHERE row IN (SELECT value FROM json_each(?))
"""
BATCH = 1_000
KEPT = 2_048
"""Each takes 2 to 4 KB."""


class PassageStore:
    """Passages by row, in a database without a name in the folder `scratch`: it needs disk, and little memory.

    The latest `KEPT` stay in memory: passages are found again and again. Nobody else can reach it, and the kernel
    deletes it with the process. Raises IndexStoreError if the disk is full.
    Safe across threads. Collecting it closes it.
    """

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._access = threading.Lock()
        self._passages = 0
        self._kept: OrderedDict[int, list[str]] = OrderedDict()
        with self._translated():
            self._database = _unnamed_database(scratch)
        self._discard = weakref.finalize(self, self._database.close)

    def close(self) -> None:
        """Closes it; later searches find nothing here."""
        with self._access:
            self._kept.clear()
            self._discard()

    def __len__(self) -> int:
        return self._passages

    def add(self, passages: Sequence[StoredPassage]) -> None:
        """Adds passages, or replaces those in the same rows."""
        with self._access, self._translated(), transaction(self._database):
            self._delete(row for row, *_ in passages)
            self._database.executemany("INSERT INTO passages VALUES (?, ?, ?, ?, ?, ?)", passages)
            self._passages += len(passages)

    def remove(self, rows: Sequence[int]) -> None:
        """Removes the passages in these rows, if they are here."""
        with self._access, self._translated(), transaction(self._database):
            self._delete(rows)

    def _delete(self, rows: Iterable[int]) -> None:
        gone = [(row,) for row in rows]
        for (row,) in gone:
            self._kept.pop(row, None)
        deleted = self._database.executemany("DELETE FROM passages WHERE row = ?", gone)
        self._passages -= max(0, deleted.rowcount)

    def passages_of(self, hits: Sequence[tuple[int, float]]) -> list[tuple[int, Passage]]:
        """(row, passage) pairs of (row, score) pairs, in the same order; those that are not here are left out."""
        if not hits:
            return []
        with self._access:
            if not self._discard.alive:
                return []
            found = self._fields([row for row, _ in hits])
        return [(row, _passage(found[row], score)) for row, score in hits if row in found]

    def _fields(self, rows: Sequence[int]) -> dict[int, list[str]]:
        """The fields of the passages in these rows, as far as they are here."""
        found = {row: self._kept[row] for row in rows if row in self._kept}
        unknown = [row for row in rows if row not in found]
        if unknown:
            with self._translated():
                read = {row: fields for row, *fields in self._database.execute(_FOUND, (json.dumps(unknown),))}
            found |= read
            self._kept |= read
        for row in found:
            self._kept.move_to_end(row)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return found

    def texts(self) -> Iterator[PassageText]:
        """The texts of every passage, ordered by row."""
        query = "SELECT row, document, title, heading, text FROM passages WHERE row > ? ORDER BY row LIMIT ?"
        last = -1 << 63
        while True:
            with self._access, self._translated():
                batch = self._database.execute(query, (last, BATCH)).fetchall()
            if not batch:
                return
            for found in batch:
                yield PassageText(*found)
            last = batch[-1][0]

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "full" not in str(error):
                raise IndexStoreError(f"this process's copy of the index cannot be used: {error}") from error
            raise no_space(self._scratch) from error


def _unnamed_database(scratch: Path) -> sqlite3.Connection:
    try:
        file, name = tempfile.mkstemp(dir=scratch, prefix="ha_rag-", suffix=".sqlite3")
    except OSError as error:
        raise IndexStoreError(f"cannot copy the index to {scratch}: {error.strerror}") from error
    os.close(file)
    try:
        database = sqlite3.connect(name, isolation_level=None, check_same_thread=False, cached_statements=32)
        try:
            for pragma in ("journal_mode = MEMORY", "synchronous = OFF", "locking_mode = EXCLUSIVE"):
                database.execute(f"PRAGMA {pragma}")
            database.execute(_TABLE)
        except BaseException:
            database.close()
            raise
    finally:
        Path(name).unlink()
    return database


def _passage(fields: list[str], score: float) -> Passage:
    document, number_in_document, text, title, heading = fields
    return Passage(
        document=document, id=f"{document}#{number_in_document}", text=text, score=score, title=title, heading=heading
    )
