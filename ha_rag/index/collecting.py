"""Collecting: walks what is to be ingested and finds what is new in it, a portion at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.document import Document, Piece
from ha_rag.index.naming import Shelf, known_as
from ha_rag.index.reading.files import Found, Limits, read, walk
from ha_rag.index.report import IngestStep, Progress
from ha_rag.index.splitting import Splitting, split
from ha_rag.index.writer import Known

PORTION_DOCUMENTS = 128
PORTION_PIECES = 512


@dataclass(frozen=True, slots=True)
class Change:
    """A new or changed document, split."""

    document: Document
    pieces: list[Piece]


class Collector:
    """Goes through `paths` once. For one thread at a time.

    `shelf`: where documents are that the index holds. The counts are of what was handed out so far; `seen`: where it
    came from, what is unchanged included.
    """

    def __init__(
        self, paths: Sequence[Path], shelf: Shelf, splitting: Splitting, limits: Limits, progress: Progress
    ) -> None:
        self.added = self.changed = self.unchanged = 0
        self.seen: set[str] = set()
        self.renamed: list[tuple[str, str]] = []
        self.unreadable: list[UnreadableDocumentError] = []
        self._shelf = shelf
        self._splitting = splitting
        self._limits = limits
        self._progress = progress
        self._under_way: dict[str, Known] = {}
        self._changes = self._walk(paths)

    def portion(self) -> list[Change]:
        """The next changes; an empty list at the end. What was handed out before must be on the shelf by now."""
        self._under_way.clear()
        taken: list[Change] = []
        for change in self._changes:
            taken.append(change)
            if len(taken) >= PORTION_DOCUMENTS or sum(len(one.pieces) for one in taken) >= PORTION_PIECES:
                break
        return taken

    def document(self, document: str) -> Known | None:
        """What is known of a document by its id, whether it is on the shelf or on its way there."""
        return self._under_way.get(document) or self._shelf.document(document)

    def document_from(self, source: str) -> Known | None:
        """What is known of the document that came from `source`."""
        return self._shelf.document_from(source)

    def _walk(self, paths: Sequence[Path]) -> Iterator[Change]:
        files = self._files(paths)
        for done, found in enumerate(files):
            self._progress(IngestStep("reading", done, len(files), found.name))
            for document in read(found, self._limits, self._splitting):
                change = self._change(found, document)
                if change is not None:
                    yield change
        self._progress(IngestStep("reading", len(files), len(files)))

    def _files(self, paths: Sequence[Path]) -> list[Found]:
        files: dict[Path, Found] = {}
        for found in (found for path in paths for found in walk(path)):
            if isinstance(found, UnreadableDocumentError):
                self.unreadable.append(found)
            else:
                files.setdefault(found.path.resolve(), found)
        return list(files.values())

    def _change(self, found: Found, document: Document | UnreadableDocumentError) -> Change | None:
        if isinstance(document, UnreadableDocumentError):
            self.unreadable.append(document)
            return None
        if document.source in self.seen:
            self.unreadable.append(UnreadableDocumentError(found.name, f"has {document.id!r} twice; the first is kept"))
            return None
        self.seen.add(document.source)
        name, known = known_as(self, found, document)
        if known is not None and known.digest == document.digest:
            self.unchanged += 1
            return None
        return self._new(replace(document, id=name), wanted=document.id, known=known)

    def _new(self, document: Document, *, wanted: str, known: Known | None) -> Change:
        if known is None:
            self.added += 1
            if wanted != document.id:
                self.renamed.append((wanted, document.id))
        else:
            self.changed += 1
        self._under_way[document.id] = Known(document.id, document.source, document.digest)
        return Change(document, split(document, self._splitting))
