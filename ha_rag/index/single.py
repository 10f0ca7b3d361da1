"""Single documents, added and deleted over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ha_rag.components.interfaces import Embedder
from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.collecting import Change
from ha_rag.index.document import Document, searchable
from ha_rag.index.embedding import Patience, Permitted, SpaceFiller
from ha_rag.index.index import Index
from ha_rag.index.reading import apart
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.files import digest
from ha_rag.index.splitting import DEFAULT_SPLITTING, Splitting, split
from ha_rag.index.threads import in_thread
from ha_rag.messages import Space, Vector

MediaType = Literal["text/plain", "text/markdown", "text/html"]
LONGEST_ID = 512
AT_ONCE = Patience(attempts=2, first_wait_s=0.1, longest_wait_s=1.0)
"""Somebody is waiting for the answer: gaps are left to the next ingest rather than waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A document that was added. `replaced`: one of this id was there. `unchanged`: it said the same; nothing was done.

    `missing`: embedder -> why it gave no vectors; the next ingest fills them in.
    """

    id: str
    passages: int
    replaced: bool = False
    unchanged: bool = False
    missing: Mapping[str, str] = field(default_factory=dict)


async def add_document(
    index: Index,
    embedders: Mapping[str, Embedder],
    identity: str | None,
    text: str,
    title: str = "",
    metadata: Mapping[str, object] | None = None,
    *,
    media_type: MediaType = "text/markdown",
    permitted: Permitted | None = None,
    splitting: Splitting = DEFAULT_SPLITTING,
    patience: Patience = AT_ONCE,
) -> Added:
    """Adds one document, or replaces the one of the same `identity` (None: one made from its content). Found on return.

    Raises UnreadableDocumentError where there is no text or the id does not do, IndexBusyError, IndexReadOnlyError,
    IndexTooNewError, IndexStoreError.
    """
    read = await asyncio.to_thread(_read, identity, text, title, media_type)
    document = _document(identity, *read, metadata or {}, media_type, splitting)
    pieces = await in_thread(split, document, splitting)
    if index.holds(document.id, document.digest):
        return Added(id=document.id, passages=len(pieces), replaced=True, unchanged=True)
    fillers = [SpaceFiller(name, one, permitted=permitted, patience=patience) for name, one in embedders.items()]
    texts = [searchable(piece.title, piece.heading, piece.text) for piece in pieces]
    columns = {filler.space: await filler.vectors(texts) for filler in fillers}
    replaced = await in_thread(_write, index, Change(document, pieces), columns)
    missing = {filler.name: filler.down for filler in fillers if filler.down is not None}
    return Added(id=document.id, passages=len(pieces), replaced=replaced, missing=missing)


async def delete_document(index: Index, identity: str) -> bool:
    """Takes a document out; False where there is none of that id. Raises as `add_document` does."""
    return await in_thread(_delete, index, identity)


def _read(identity: str | None, text: str, title: str, media_type: MediaType) -> tuple[str, str]:
    if media_type == "text/html":
        own_title, text = apart.shared.read(identity or "document", "html", text.encode(errors="replace"))
        title = title or own_title
    return tidy(title), tidy(text)


def _document(
    identity: str | None,
    title: str,
    text: str,
    metadata: Mapping[str, object],
    media_type: MediaType,
    splitting: Splitting,
) -> Document:
    content = digest(title, text, splitting, metadata)
    name = tidy(identity).strip() if identity is not None else content[:16]
    if not name or len(name) > LONGEST_ID:
        raise UnreadableDocumentError(name[:80], f"an id must have 1 to {LONGEST_ID} characters")
    if not any(character.isalnum() for character in text):
        raise UnreadableDocumentError(name, "has no text in it")
    markdown = media_type != "text/plain"
    source = f"added:{name}"
    return Document(
        id=name, text=text, title=title, source=source, digest=content, markdown=markdown, metadata=metadata
    )


def _write(index: Index, change: Change, columns: Mapping[Space, list[Vector | None]]) -> bool:
    with index.writer() as writer:
        replaced = writer.document(change.document.id) is not None
        writer.put(change.document, change.pieces, columns)
        writer.commit()
    index.refresh()
    return replaced


def _delete(index: Index, identity: str) -> bool:
    if not index.exists:
        return False
    with index.writer() as writer:
        deleted = writer.delete(tidy(identity).strip())
        writer.commit()
    index.refresh()
    return deleted
