"""IndexedDocuments: looks up documents that the index holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ha_rag.index.schema import open_for_reading, translated


@dataclass(frozen=True, slots=True)
class IndexedDocument:
    """A document in the index. `digest`: of the text it was made from."""

    id: str
    source: str
    digest: str


class IndexedDocuments:
    """The documents of the index in `folder`, as `connection` sees them. Raises IndexStoreError."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self._folder = folder
        self._connection = connection

    def document(self, document: str) -> IndexedDocument | None:
        """The indexed document with this id."""
        return self._one("SELECT id, source, digest FROM documents WHERE id = ?", document)

    def document_from(self, source: str) -> IndexedDocument | None:
        """The indexed document that was read from `source`."""
        return self._one("SELECT id, source, digest FROM documents WHERE source = ?", source)

    def _one(self, query: str, value: str) -> IndexedDocument | None:
        with translated(self._folder):
            found = self._connection.execute(query, (value,)).fetchone()
        return IndexedDocument(*found) if found else None


@contextmanager
def committed_documents(folder: Path) -> Iterator[IndexedDocuments]:
    """The documents that have been committed, for another thread than that of the writer."""
    with closing(open_for_reading(folder)) as connection:
        yield IndexedDocuments(folder, connection)
