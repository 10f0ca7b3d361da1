"""Removes documents by their ids: all that are named, or none."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import IndexStoreError, UnknownDocumentError
from ha_rag.index.checksums import is_text
from ha_rag.index.file_state import file_state
from ha_rag.index.indexed_documents import IndexedDocument
from ha_rag.index.sources import file_of
from ha_rag.index.writer import IndexWriter

COMPARED = 5_000
"""Up to this many documents, an unknown id is compared with all ids, to name the ones that were probably meant."""
SUGGESTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RemovedDocument:
    """A document that was removed. `file`: what it was read from, if that is still there: an ingest reads it again."""

    id: str
    file: Path | None = None


def remove_documents(folder: Path, identities: Sequence[str]) -> list[RemovedDocument]:
    """Removes the documents with these ids from the index in `folder`; if one of them is unknown, none is removed.

    Raises UnknownDocumentError, IndexBusyError, IndexReadOnlyError, IndexTooNewError and IndexStoreError. Reads and
    writes the disk: not for use on an event loop.
    """
    wanted = list(dict.fromkeys(identities))
    if not _exists(folder):
        raise UnknownDocumentError(dict.fromkeys(wanted, ()))
    with IndexWriter(folder) as writer:
        found = [writer.document(identity) if is_text(identity) else None for identity in wanted]
        unknown = [identity for identity, document in zip(wanted, found, strict=True) if document is None]
        if unknown:
            documents = writer.documents()
            raise UnknownDocumentError({identity: tuple(_meant(identity, documents)) for identity in unknown})
        removed = [document for document in found if document is not None]
        for document in removed:
            writer.delete(document.id)
        writer.commit()
    return [RemovedDocument(id=document.id, file=_file_that_is_there(document.source)) for document in removed]


def _exists(folder: Path) -> bool:
    try:
        return file_state(folder) is not None
    except OSError as error:
        raise IndexStoreError(f"the index at {folder} cannot be read: {error.strerror}") from error


def _file_that_is_there(source: str) -> Path | None:
    file = file_of(source)
    try:
        return file if file is not None and file.is_file() else None
    except (OSError, ValueError):
        return None


def _meant(identity: str, documents: Sequence[IndexedDocument]) -> Iterator[str]:
    """Ids that were probably meant: of what was read from a file of that name, else similar ones."""
    sound = [document for document in documents if is_text(document.id) and is_text(document.source)]
    path = _resolved(identity)
    read_from = [document.id for document in sound if document.source in (path, identity)]
    if read_from:
        yield read_from[0]
    elif len(sound) <= COMPARED:
        yield from difflib.get_close_matches(identity, [document.id for document in sound], SUGGESTED)


def _resolved(name: str) -> str:
    try:
        return str(Path(name).resolve())
    except (OSError, ValueError, RuntimeError):
        return name
