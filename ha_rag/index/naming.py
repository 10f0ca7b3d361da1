"""Naming: assigns document ids that stay stable over runs and never collide."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Protocol

from ha_rag.index.document import Document
from ha_rag.index.indexed_documents import IndexedDocument
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.sources import is_gone, is_sample


class DocumentLookup(Protocol):
    """Looks up indexed documents; IndexedDocuments implements it."""

    def document(self, document: str) -> IndexedDocument | None:
        """The indexed document with this id."""
        ...

    def document_from(self, source: str) -> IndexedDocument | None:
        """The indexed document that was read from `source`."""
        ...


def id_for(indexed: DocumentLookup, found: FoundFile, document: Document) -> tuple[str, IndexedDocument | None]:
    """The id for a document that was read, and the indexed document that it replaces, if any.

    A source keeps its id. If another source has the id, it is taken over when that source no longer exists (the folder
    was moved) or is a sample. Otherwise the id is prefixed with the name of the document's folder, or of its file if it
    is one line of a file.
    """
    previous = indexed.document_from(document.source)
    if previous is not None:
        return previous.id, previous
    for name in chain([document.id], _longer_ids(found, document)):
        holder = indexed.document(name)
        if holder is None or is_sample(holder.source):
            return name, None
        if is_gone(holder.source):
            return name, holder
    return document.source, indexed.document(document.source)


def _longer_ids(found: FoundFile, document: Document) -> Iterator[str]:
    prefix = found.root if document.id == found.name else found.path.with_suffix("")
    parts = prefix.resolve().parts[1:]
    for length in range(1, len(parts) + 1):
        yield "/".join([*parts[-length:], document.id])
