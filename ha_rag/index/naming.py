"""Naming: which id a document gets, so that ids stay the same over runs and no document overwrites another one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from ha_rag.index.document import Document
from ha_rag.index.reading.files import Found
from ha_rag.index.writer import Known


class Shelf(Protocol):
    """Where documents are looked up (IndexWriter is one)."""

    def document(self, document: str) -> Known | None:
        """What is known of a document, by its id."""
        ...

    def document_from(self, source: str) -> Known | None:
        """What is known of the document that came from `source`."""
        ...


def known_as(shelf: Shelf, found: Found, document: Document) -> tuple[str, Known | None]:
    """The id for a document that was read, and what the index holds under it already.

    A source keeps its id. An id that is taken by another source is taken over where that source is gone (the folder
    was moved) or says the same; otherwise the name of its folder (or of its file, for a line of one) goes before it.
    """
    before = shelf.document_from(document.source)
    if before is not None:
        return before.id, before
    for name in (document.id, *_longer(found, document)):
        holder = shelf.document(name)
        if holder is None or holder.digest == document.digest or _is_gone(holder.source):
            return name, holder
    return document.source, shelf.document(document.source)


def _longer(found: Found, document: Document) -> Iterator[str]:
    holder = found.root if document.id == found.name else found.path.with_suffix("")
    parts = holder.resolve().parts[1:]
    for length in range(1, len(parts) + 1):
        yield "/".join([*parts[-length:], document.id])


def _is_gone(source: str) -> bool:
    path = Path(source.rsplit("#", 1)[0])
    try:
        return path.is_absolute() and not path.exists()
    except OSError:
        return False
