"""Adds and deletes documents one at a time or a few together, as HTTP requests do."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.checksums import is_text
from ha_rag.index.collector import SplitDocument
from ha_rag.index.document import Document, has_words, searchable
from ha_rag.index.embedding import Permitted, RetryPolicy, SpaceFiller
from ha_rag.index.index import Index
from ha_rag.index.listed import ADDED
from ha_rag.index.reading import kinds, sandbox
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.files import digest
from ha_rag.index.splitting import DEFAULT_SPLITTING, Splitting, split
from ha_rag.index.threads import in_thread
from ha_rag.interfaces import Embedder
from ha_rag.messages import Space, Vector
from ha_rag.threads import reading

MediaType = Literal["text/plain", "text/markdown", "text/html"]
LONGEST_ID = 512
_READ_AS: dict[str, str] = {"text/markdown": "markdown", "text/html": "html"}
"""Media type -> the form in which a reader reads it. Plain text is taken as it is."""
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
    media_type: MediaType | None = None,
    permitted: Permitted | None = None,
    splitting: Splitting = DEFAULT_SPLITTING,
    retry_policy: RetryPolicy = INTERACTIVE,
) -> AddedDocument:
    """Adds a document, or replaces the one with the same `identity` (None: derived from the content).

    Markdown and HTML are read as `ingest` reads files: front matter becomes metadata, unless `metadata` has that key.
    `media_type` None: Markdown if the id ends like the name of such a file; otherwise `text` is taken as it is, and
    split where Markdown would have headings. The document can be found as soon as this returns. Raises
    UnreadableDocumentError if it has no text or an invalid id, IndexBusyError, IndexReadOnlyError, IndexTooNewError and
    IndexStoreError.
    """
    if media_type is None and kinds.form_of(identity or "") == "markdown":
        media_type = "text/markdown"
    # What needs no reader does not wait for those that read.
    run = reading.run if media_type in _READ_AS else asyncio.to_thread
    extract = await run(_read, identity, text, title, metadata or {}, media_type)
    document = await in_thread(_document, identity, extract, splitting)
    (added,) = await add_documents(
        index, embedders, [document], permitted=permitted, splitting=splitting, retry_policy=retry_policy
    )
    return added


async def add_documents(
    index: Index,
    embedders: Mapping[str, Embedder],
    documents: Sequence[Document],
    *,
    permitted: Permitted | None = None,
    splitting: Splitting = DEFAULT_SPLITTING,
    retry_policy: RetryPolicy = INTERACTIVE,
) -> list[AddedDocument]:
    """Adds documents that have been read, all in one step, or replaces those with the same ids. Raises as above."""
    fillers = [
        SpaceFiller(name, embedder, permitted=permitted, retry_policy=retry_policy)
        for name, embedder in embedders.items()
    ]
    found = await in_thread(_split, index, documents, splitting)
    changed = [one for one, unchanged in found if not unchanged]
    texts = [searchable(chunk.title, chunk.heading, chunk.text) for one in changed for chunk in one.chunks]
    columns = {filler.space: await filler.vectors(texts) for filler in fillers}
    replaced = await in_thread(_write, index, changed, columns) if changed else {}
    missing = {filler.name: filler.down for filler in fillers if filler.down is not None}
    return [
        AddedDocument(
            id=one.document.id,
            passages=len(one.chunks),
            replaced=unchanged or replaced[one.document.id],
            unchanged=unchanged,
            missing={} if unchanged else missing,
        )
        for one, unchanged in found
    ]


async def delete_document(index: Index, identity: str) -> bool:
    """Deletes a document; False if there is none with that id. Raises what `add_document` raises."""
    return await in_thread(_delete, index, identity)


def _read(
    identity: str | None, text: str, title: str, metadata: Mapping[str, object], media_type: MediaType | None
) -> Extract:
    form = _READ_AS.get(media_type or "")
    if form is None:
        return Extract(text=tidy(text), title=tidy(title), metadata=metadata, markdown=media_type != "text/plain")
    file = RawFile(name=identity or "document", data=tidy(text).encode())
    extract = sandbox.shared.read(form, file)
    return Extract(
        text=tidy(extract.text),
        title=tidy(title or extract.title),
        metadata={**extract.metadata, **metadata},
        markdown=extract.markdown,
    )


def _document(identity: str | None, extract: Extract, splitting: Splitting) -> Document:
    content = digest(extract.title, extract.text, splitting, extract.metadata)
    name = tidy(identity).strip() if identity is not None else content[:16]
    if not name or len(name) > LONGEST_ID:
        raise UnreadableDocumentError(name[:80], f"an id must have 1 to {LONGEST_ID} characters")
    if not has_words(extract.text):
        raise UnreadableDocumentError(name, "contains no text")
    return Document(
        id=name, text=extract.text, title=extract.title, source=f"{ADDED}{name}", digest=content,
        markdown=extract.markdown, metadata=extract.metadata,
    )  # fmt: skip


def _split(index: Index, documents: Sequence[Document], splitting: Splitting) -> list[tuple[SplitDocument, bool]]:
    """Each document with its chunks, and whether the index holds it as it is."""
    return [
        (SplitDocument(document, split(document, splitting)), index.holds(document.id, document.digest))
        for document in documents
    ]


def _write(
    index: Index, changes: Sequence[SplitDocument], columns: Mapping[Space, Sequence[Vector | None]]
) -> dict[str, bool]:
    """Writes the documents with their vectors, in one step; whether there was one before, by id."""
    replaced: dict[str, bool] = {}
    at = 0
    with index.writer() as writer:
        for one in changes:
            replaced[one.document.id] = writer.document(one.document.id) is not None
            end = at + len(one.chunks)
            writer.put(one.document, one.chunks, {space: column[at:end] for space, column in columns.items()})
            at = end
        writer.commit()
    index.refresh()
    return replaced


def _delete(index: Index, identity: str) -> bool:
    if not index.exists:
        return False
    with index.writer() as writer:
        if not is_text(identity) or writer.document(identity) is None:
            return False
        writer.delete(identity)
        writer.commit()
    index.refresh()
    return True
