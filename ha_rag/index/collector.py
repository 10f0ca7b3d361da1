"""Collector: reads the documents to ingest and yields the new and changed ones in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.document import Chunk, Document
from ha_rag.index.naming import DocumentLookup, id_for
from ha_rag.index.reading.files import FoundFile, ReadingLimits, read, walk
from ha_rag.index.report import IngestStep, Progress
from ha_rag.index.splitting import Splitting, split
from ha_rag.index.writer import IndexedDocument

BATCH_DOCUMENTS = 128
BATCH_CHUNKS = 512


@dataclass(frozen=True, slots=True)
class SplitDocument:
    """A new or changed document with its chunks."""

    document: Document
    chunks: list[Chunk]


class Collector:
    """Reads `paths` once. For one thread at a time.

    `indexed`: looks up the documents that the index holds. The counts cover the batches returned so far. `seen`: the
    sources of all documents read, unchanged ones included.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        indexed: DocumentLookup,
        splitting: Splitting,
        limits: ReadingLimits,
        progress: Progress,
    ) -> None:
        self.added = self.changed = self.unchanged = 0
        self.seen: set[str] = set()
        self.renamed: list[tuple[str, str]] = []
        self.unreadable: list[UnreadableDocumentError] = []
        self._indexed = indexed
        self._splitting = splitting
        self._limits = limits
        self._progress = progress
        self._pending: dict[str, IndexedDocument] = {}
        self._documents = self._read_all(paths)

    def next_batch(self) -> list[SplitDocument]:
        """The next documents to write; empty at the end. The previous batch must have been committed by now."""
        self._pending.clear()
        batch: list[SplitDocument] = []
        for document in self._documents:
            batch.append(document)
            if len(batch) >= BATCH_DOCUMENTS or sum(len(one.chunks) for one in batch) >= BATCH_CHUNKS:
                break
        return batch

    def document(self, document: str) -> IndexedDocument | None:
        """The document with this id, in the index or in the current batch."""
        return self._pending.get(document) or self._indexed.document(document)

    def document_from(self, source: str) -> IndexedDocument | None:
        """The indexed document that was read from `source`."""
        return self._indexed.document_from(source)

    def _read_all(self, paths: Sequence[Path]) -> Iterator[SplitDocument]:
        files = self._files(paths)
        for done, found in enumerate(files):
            self._progress(IngestStep("reading", done, len(files), found.name))
            for document in read(found, self._limits, self._splitting):
                if (changed := self._if_changed(found, document)) is not None:
                    yield changed
        self._progress(IngestStep("reading", len(files), len(files)))

    def _files(self, paths: Sequence[Path]) -> list[FoundFile]:
        files: dict[Path, FoundFile] = {}
        for found in (found for path in paths for found in walk(path)):
            if isinstance(found, UnreadableDocumentError):
                self.unreadable.append(found)
            else:
                files.setdefault(found.path.resolve(), found)
        return list(files.values())

    def _if_changed(self, found: FoundFile, document: Document | UnreadableDocumentError) -> SplitDocument | None:
        if isinstance(document, UnreadableDocumentError):
            self.unreadable.append(document)
            return None
        if document.source in self.seen:
            self.unreadable.append(UnreadableDocumentError(found.name, f"has {document.id!r} twice; the first is kept"))
            return None
        self.seen.add(document.source)
        name, known = id_for(self, found, document)
        if known is not None and known.digest == document.digest:
            self.unchanged += 1
            return None
        return self._split(replace(document, id=name), wanted=document.id, known=known)

    def _split(self, document: Document, *, wanted: str, known: IndexedDocument | None) -> SplitDocument:
        if known is None:
            self.added += 1
            if wanted != document.id:
                self.renamed.append((wanted, document.id))
        else:
            self.changed += 1
        self._pending[document.id] = IndexedDocument(document.id, document.source, document.digest)
        return SplitDocument(document, split(document, self._splitting))
