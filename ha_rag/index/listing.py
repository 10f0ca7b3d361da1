"""DocumentList: the documents of an index as they are stored, page by page, and one of them with its passages."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ha_rag.errors import IndexStoreError
from ha_rag.index import times
from ha_rag.index.checksums import counted, is_text, passage_fault
from ha_rag.index.examining import DAMAGED
from ha_rag.index.file_state import file_state
from ha_rag.index.listed import (
    DocumentDetails,
    DocumentFilter,
    DocumentState,
    ListedDocument,
    ListedPassage,
    ListPage,
    origin_of,
)
from ha_rag.index.schema import DEAD, FRESH, meta_number, open_for_reading, translated, with_checksums
from ha_rag.messages import Space

LOOKED_AT, LONGEST_LOOK = 5_000, 20_000
"""Documents and passages after which a page ends, even if it is shorter than asked for: none takes long."""

_DOCUMENTS = """
    SELECT id, title, source, digest, metadata FROM documents WHERE id > CAST(? AS TEXT) AND typeof(id) = 'text'
    ORDER BY id
"""
_DOCUMENT = "SELECT id, title, source, digest, metadata FROM documents WHERE id = ?"
# Texts that are not valid UTF-8 cannot be passed back as text, so ids are passed as their bytes.
_PASSAGES = """
    SELECT row, state, document, number, title, heading, text, checksum FROM passages
    WHERE document = CAST(? AS TEXT) AND state <> ? ORDER BY number
"""
_VECTORS = """
    SELECT model, revision, dimension, count(*) FROM passages
    JOIN vectors ON passage = row JOIN spaces ON spaces.id = space
    WHERE document = CAST(? AS TEXT) AND state <> ? GROUP BY spaces.id
"""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A document's row, with its passages and the number of their vectors."""

    row: Sequence[Any]
    passages: list[tuple[Any, ...]]
    vectors: dict[Space, int]
    faults: dict[int, str] = field(default_factory=dict)


class DocumentList:
    """The documents of the index in `folder`, read from its database; a missing index has none. Safe across threads.

    `spaces`: those in which every passage should have a vector. Methods raise IndexStoreError if the index cannot be
    read, and IndexTooNewError if a later version wrote it. They read the disk: not for use on an event loop.
    """

    def __init__(self, folder: Path, spaces: Sequence[Space] = ()) -> None:
        self._folder = folder
        self._spaces = tuple(spaces)

    def page(self, wanted: DocumentFilter, limit: int, after: bytes = b"") -> ListPage:
        """At most `limit` documents that fit, from the one that follows the id `after` in the order of bytes.

        A document that is there all the time is on exactly one page, whatever is written meanwhile. A page may be
        shorter than `limit`, even empty, and not the last one.
        """
        with self._reading() as database:
            return ListPage() if database is None else self._page(database, wanted, limit, after)

    def _page(self, database: sqlite3.Connection, wanted: DocumentFilter, limit: int, after: bytes) -> ListPage:
        total = meta_number(database, "documents")
        found: list[ListedDocument] = []
        looked_at = passages = 0
        last = after
        for row in database.execute(_DOCUMENTS, (after,)):
            if len(found) == limit or looked_at == LOOKED_AT or passages >= LONGEST_LOOK:
                return ListPage(documents=tuple(found), after=last, total=total)
            last, looked_at = _bytes(row[0]), looked_at + 1
            if wanted.may_fit(*(_shown(text) for text in row[:3])):
                listed = self._listed(database, _stored(database, row))
                passages += listed.passages
                found += [listed] if wanted.fits(listed) else []
        return ListPage(documents=tuple(found), total=total)

    def document(self, identity: str, limit: int, after: int = -1) -> DocumentDetails | None:
        """The document with this id and at most `limit` of its passages, from the one that follows the number `after`.

        None if there is none.
        """
        if not is_text(identity):
            return None
        with self._reading() as database:
            row = database.execute(_DOCUMENT, (identity,)).fetchone() if database is not None else None
            return None if database is None or row is None else self._details(database, row, limit, after)

    def _details(self, database: sqlite3.Connection, row: Sequence[Any], limit: int, after: int) -> DocumentDetails:
        stored = _stored(database, row)
        listed = self._listed(database, stored)
        following = [passage for passage in stored.passages if isinstance(passage[3], int) and passage[3] > after]
        shown = tuple(_passage(listed.id, passage, stored.faults) for passage in following[:limit])
        more = shown[-1].number if shown and len(following) > limit else None
        return DocumentDetails(listed=listed, metadata=_metadata(row[4]), passages=shown, after=more)

    def _listed(self, database: sqlite3.Connection, stored: _Stored) -> ListedDocument:
        identity, title, source, digest, _ = stored.row
        state, reason = self._state(stored)
        origin = origin_of(_shown(source))
        is_sound = is_text(identity) and is_text(digest) and times.is_there(database)
        return ListedDocument(
            id=_shown(identity),
            title=_shown(title),
            origin=origin,
            source=_shown(source) if origin == "file" else "",
            state=state,
            reason=reason,
            passages=len(stored.passages),
            vectors=dict.fromkeys(self._spaces, 0) | stored.vectors,
            indexed_ms=times.indexed_ms(database, identity, digest) if is_sound else None,
        )

    def _state(self, stored: _Stored) -> tuple[DocumentState, str]:
        if damage := _damage(stored):
            return "damaged", f"{damage}; `ha-rag ingest` of what it was read from mends it, or add it again"
        if any(state == FRESH for _, state, *_ in stored.passages):
            return "indexing", "it is being written; if its writer was stopped, the next ingest completes it"
        number = len(stored.passages)
        missing = {space: number - stored.vectors.get(space, 0) for space in self._spaces}
        gaps = [
            f"{count} of {counted(number, 'passage')} without a vector of {space}"
            for space, count in missing.items()
            if count > 0
        ]
        return ("waiting", f"{'; '.join(gaps)}; the next ingest makes them") if gaps else ("searchable", "")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """A read transaction, which sees one state of the database; None if there is no index."""
        try:
            exists = file_state(self._folder) is not None
        except OSError as error:
            raise IndexStoreError(f"the index at {self._folder} cannot be read: {error.strerror}") from error
        if not exists:
            yield None
            return
        with translated(self._folder), closing(open_for_reading(self._folder)) as database:
            database.execute("BEGIN")
            yield database


def _stored(database: sqlite3.Connection, row: Sequence[Any]) -> _Stored:
    values = (_bytes(row[0]), DEAD)
    passages = database.execute(with_checksums(database, "passages", _PASSAGES), values).fetchall()
    vectors = {
        Space(model, revision, dimension): count
        for model, revision, dimension, count in database.execute(_VECTORS, values)
        if is_text(model) and is_text(revision) and isinstance(dimension, int)
    }
    found = ((at, passage_fault(at, fields, checksum)) for at, _, *fields, checksum in passages)
    return _Stored(row, passages, vectors, {at: fault for at, fault in found if fault})


def _damage(stored: _Stored) -> str:
    """What is damaged of a document, as `examining` judges it; "" if nothing is."""
    if not all(map(is_text, stored.row)):
        return "its record is damaged"
    if stored.row[3] == DAMAGED:
        return "it was damaged, and waits to be read again"
    if stored.faults:
        return f"damaged: {counted(len(stored.faults), 'passage')}"
    if [number for _, _, _, number, *_ in stored.passages] != list(range(len(stored.passages))) or not stored.passages:
        return "some of its passages are missing"
    return ""


def _passage(document: str, stored: Sequence[Any], faults: dict[int, str]) -> ListedPassage:
    row, _, _, number, title, heading, text, _ = stored
    identity = f"{document}#{number}"
    if row in faults:
        return ListedPassage(id=identity, number=number, problem=faults[row])
    return ListedPassage(id=identity, number=number, title=title, heading=heading, text=text)


def _metadata(stored: object) -> dict[str, object]:
    try:
        found = json.loads(_shown(stored))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _shown(stored: object) -> str:
    """A stored value as text that can be sent; bytes that are not UTF-8 are shown as escapes."""
    return _bytes(stored).decode("utf-8", "backslashreplace") if isinstance(stored, str) else ascii(stored)
