"""Collector: reads the documents to ingest and yields the new and changed ones in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.document import Chunk, Document
from ha_rag.index.indexed_documents import IndexedDocument
from ha_rag.index.naming import DocumentLookup, id_for
from ha_rag.index.reading.files import Read, ReadingLimits, ReadingNotice, read
from ha_rag.index.reading.neighbours import Neighbours
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.report import IngestStep, Progress
from ha_rag.index.sources import SAMPLE, is_missing
from ha_rag.index.splitting import Splitting, split
from ha_rag.index.survey import Survey
from ha_rag.index.taking_out import Looked

BATCH_DOCUMENTS = 1_024
BATCH_CHUNKS = 1_024


@dataclass(frozen=True, slots=True)
class SplitDocument:
    """A new or changed document with its chunks."""

    document: Document
    chunks: list[Chunk]


class Collector:
    """Reads `paths` once. For one thread at a time.

    `indexed`: looks up the documents that the index holds. `samples`: whether the documents are samples. The counts
    cover the batches returned so far. `moved`: id -> source, of the unchanged documents whose file was moved. `ids`: of
    all documents read.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        indexed: DocumentLookup,
        splitting: Splitting,
        limits: ReadingLimits,
        progress: Progress,
        *,
        samples: bool = False,
    ) -> None:
        self.added = self.changed = self.unchanged = 0
        self.survey = Survey(())
        self.moved: dict[str, str] = {}
        self.ids: set[str] = set()
        self.renamed: list[tuple[str, str]] = []
        self.unreadable: list[UnreadableDocumentError] = []
        self.notices: list[ReadingNotice] = []
        self._seen: set[str] = set()
        self._settled: dict[Path, str] = {}
        self._troubled: dict[Path, str] = {}
        self._indexed = indexed
        self._splitting = splitting
        self._limits = limits
        self._progress = progress
        self._samples = samples
        self._neighbours = Neighbours()
        self._pending: dict[str, IndexedDocument] = {}
        self._being_written: dict[str, IndexedDocument] = {}
        self._documents = self._read_all(paths)

    def next_batch(self) -> list[SplitDocument]:
        """The next documents to write; empty at the end. The batch before the previous one must have been committed."""
        self._being_written, self._pending = self._pending, {}
        batch: list[SplitDocument] = []
        chunks = 0
        for document in self._documents:
            batch.append(document)
            chunks += len(document.chunks)
            if len(batch) >= BATCH_DOCUMENTS or chunks >= BATCH_CHUNKS:
                break
        return batch

    def document(self, document: str) -> IndexedDocument | None:
        """The document with this id, in the index, the current batch or the previous one."""
        return (
            self._pending.get(document) or self._being_written.get(document) or self._indexed.document(document)
        )  # fmt: skip

    def document_from(self, source: str) -> IndexedDocument | None:
        """The indexed document that was read from `source`."""
        return self._indexed.document_from(source)

    @property
    def found_any(self) -> bool:
        """Whether any document was read so far."""
        return bool(self._seen)

    def looked(self) -> Looked:
        """What was seen so far."""
        return Looked(
            survey=self.survey, seen=frozenset(self._seen), settled=self._settled, troubled=self._troubled
        )  # fmt: skip

    def _read_all(self, paths: Sequence[Path]) -> Iterator[SplitDocument]:
        self.survey = Survey(paths)
        self.unreadable += self.survey.errors
        files = self.survey.files
        for done, found in enumerate(files):
            self._progress(IngestStep("reading", done, len(files), found.name))
            yield from self._read_one(found)
        self._progress(IngestStep("reading", len(files), len(files)))

    def _read_one(self, found: FoundFile) -> Iterator[SplitDocument]:
        errors = len(self.unreadable)
        for document in read(found, self._limits, self._splitting, self._neighbours):
            if (changed := self._if_changed(found, document)) is not None:
                yield changed
        self._settle(found.path.resolve(), self.unreadable[errors:])

    def _settle(self, file: Path, errors: Sequence[UnreadableDocumentError]) -> None:
        """Notes that a file has been read as far as it can be; not if the machine's trouble has prevented that."""
        trouble = next((error for error in errors if error.transient), None)
        if trouble is not None:
            self._troubled[file] = trouble.why
        elif not is_missing(file):
            self._settled[file] = errors[-1].why if errors else ""

    def _if_changed(self, found: FoundFile, document: Read) -> SplitDocument | None:
        if isinstance(document, UnreadableDocumentError):
            self.unreadable.append(document)
            return None
        if isinstance(document, ReadingNotice):
            self.notices.append(document)
            return None
        if self._samples:
            document = _as_sample(document)
        if document.source in self._seen:
            self.unreadable.append(UnreadableDocumentError(found.name, f"has {document.id!r} twice; the first is kept"))
            return None
        self._seen.add(document.source)
        name, known = id_for(self, found, document)
        self.ids.add(name)
        if known is not None and known.digest == document.digest:
            self.unchanged += 1
            if known.source != document.source:
                self.moved[known.id] = document.source
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


def _as_sample(document: Document) -> Document:
    """A sample belongs to no file, which another version of this program may have elsewhere."""
    digest = f"{SAMPLE}{document.digest}"
    return replace(
        document, source=f"{SAMPLE}{document.id}", digest=digest, metadata={**document.metadata, "sample": True}
    )
