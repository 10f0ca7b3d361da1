"""Adds and deletes single documents, as HTTP requests do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.collector import SplitDocument
from ha_rag.index.document import Document, searchable
from ha_rag.index.embedding import Permitted, RetryPolicy, SpaceFiller
from ha_rag.index.index import Index
from ha_rag.index.reading import sandbox
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.files import digest
from ha_rag.index.splitting import DEFAULT_SPLITTING, Splitting, split
from ha_rag.index.threads import in_thread
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space, Vector

MediaType = Literal["text/plain", "text/markdown", "text/html"]
LONGEST_ID = 512
INTERACTIVE = RetryPolicy(attempts=2, first_wait_s=0.1, longest_wait_s=1.0)
"""A client is waiting: missing vectors are left to the next ingest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedDocument:
    """A document that was added.

    `replaced`: there was a document with this id. `unchanged`: it had the same content and was left alone. `missing`:
    embedder name -> why it made no vectors; the next ingest adds them.
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
    retry_policy: RetryPolicy = INTERACTIVE,
) -> AddedDocument:
    """Adds a document, or replaces the one with the same `identity` (None: derived from the content).

    The document can be found as soon as this returns. Raises UnreadableDocumentError if it has no text or an invalid
    id, IndexBusyError, IndexReadOnlyError, IndexTooNewError and IndexStoreError.
    """
    read = await asyncio.to_thread(_read, identity, text, title, media_type)
    document = _document(identity, *read, metadata or {}, media_type, splitting)
    chunks = await in_thread(split, document, splitting)
    if index.holds(document.id, document.digest):
        return AddedDocument(id=document.id, passages=len(chunks), replaced=True, unchanged=True)
    fillers = [
        SpaceFiller(name, embedder, permitted=permitted, retry_policy=retry_policy)
        for name, embedder in embedders.items()
    ]
    texts = [searchable(chunk.title, chunk.heading, chunk.text) for chunk in chunks]
    columns = {filler.space: await filler.vectors(texts) for filler in fillers}
    replaced = await in_thread(_write, index, SplitDocument(document, chunks), columns)
    missing = {filler.name: filler.down for filler in fillers if filler.down is not None}
    return AddedDocument(id=document.id, passages=len(chunks), replaced=replaced, missing=missing)


async def delete_document(index: Index, identity: str) -> bool:
    """Deletes a document; False if there is none with that id. Raises what `add_document` raises."""
    return await in_thread(_delete, index, identity)


def _read(identity: str | None, text: str, title: str, media_type: MediaType) -> tuple[str, str]:
    if media_type == "text/html":
        own_title, text = sandbox.shared.read(identity or "document", "html", text.encode(errors="replace"))
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
        raise UnreadableDocumentError(name, "contains no text")
    markdown = media_type != "text/plain"
    source = f"added:{name}"
    return Document(
        id=name, text=text, title=title, source=source, digest=content, markdown=markdown, metadata=metadata
    )


def _write(index: Index, change: SplitDocument, columns: Mapping[Space, list[Vector | None]]) -> bool:
    with index.writer() as writer:
        replaced = writer.document(change.document.id) is not None
        writer.put(change.document, change.chunks, columns)
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
