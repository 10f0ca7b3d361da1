"""Adds files that were sent to a server: read as `ingest` reads those of a folder, each with its own result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.document import Document
from ha_rag.index.embedding import Permitted
from ha_rag.index.index import Index
from ha_rag.index.listed import ADDED
from ha_rag.index.reading.files import DEFAULT_LIMITS, ReadingLimits, ReadingNotice, read
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.single_document import AddedDocument, add_documents
from ha_rag.interfaces import Embedder
from ha_rag.threads import finished, reading

MOST_DOCUMENTS = 1_000
"""Documents that one request may add; a file of JSON lines has many."""
MOST_UNREAD = 1_000
"""Parts of one file, such as lines, that cannot be read and are named. With more of them, nothing of it is added."""
MOST_CHARACTERS = 20_000_000
"""Characters of text that one request may add, in all its files: a small file may unpack to much."""
READING_S = 60.0
"""After so long no further file of a request is read: one that is slow to read keeps others waiting."""
INSTEAD = "put it into a folder and run `ha-rag ingest` there"


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadedFile:
    """A file that was sent. `name`: as its sender calls it. `path`: where it is kept until it has been read."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedFile:
    """What became of a file. `unread`: (part, reason) of each part that could not be read, such as a page or a line.

    `error`: why nothing of it was added, or "". `notices`: what is to be known of what was read all the same.
    """

    name: str
    documents: tuple[AddedDocument, ...] = ()
    notices: tuple[str, ...] = ()
    unread: tuple[tuple[str, str], ...] = ()
    error: str = ""


@dataclass(slots=True)
class _Reading:
    """What has been read of one file."""

    name: str
    documents: list[Document] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    error: str = ""


class FileAdder:
    """Adds files to `index`. Reads one at a time, whoever sent it. Safe across the tasks of one event loop."""

    def __init__(
        self,
        index: Index,
        embedders: Mapping[str, Embedder],
        *,
        permitted: Permitted | None = None,
        limits: ReadingLimits = DEFAULT_LIMITS,
        clock: Clock | None = None,
    ) -> None:
        self._index = index
        self._embedders = embedders
        self._permitted = permitted
        self._limits = limits
        self._clock = clock or SystemClock()

    async def add(self, files: Sequence[UploadedFile]) -> list[AddedFile]:
        """Reads the files and adds what could be read of them, in one step. A result for each file.

        Raises IndexBusyError, IndexReadOnlyError, IndexTooNewError and IndexStoreError; then nothing was added.
        """
        readings = await self._read(files)
        documents = [document for one in readings for document in one.documents]
        added = await add_documents(self._index, self._embedders, documents, permitted=self._permitted)
        results = iter(added)
        return [_result(one, [next(results) for _ in one.documents]) for one in readings]

    async def _read(self, files: Sequence[UploadedFile]) -> list[_Reading]:
        readings: list[_Reading] = []
        spent_s = 0.0
        for file in files:
            if spent_s > READING_S:
                why = f"not read: the files before it took more than {READING_S:g} s; send it by itself"
                readings.append(_Reading(file.name, error=why))
                continue
            result, took_s = await finished(reading.run(self._timed, file, readings))
            readings.append(result)
            spent_s += took_s
        return readings

    def _timed(self, file: UploadedFile, before: Sequence[_Reading]) -> tuple[_Reading, float]:
        began_s = self._clock.monotonic_s()
        return _read(file, self._limits, before), self._clock.monotonic_s() - began_s


def _read(file: UploadedFile, limits: ReadingLimits, before: Sequence[_Reading]) -> _Reading:
    """A file, read within what the files before it leave of the limits."""
    result = _Reading(file.name)
    taken = {document.id for other in before for document in other.documents}
    characters = sum(len(document.text) for other in before for document in other.documents)
    for found in read(FoundFile(file.path, file.name, file.path.parent), limits):
        if isinstance(found, ReadingNotice):
            result.notices.append(found.what)
        elif isinstance(found, UnreadableDocumentError):
            result.unread.append((found.document, found.why))
        elif found.id in taken:
            result.unread.append((found.id, "is in this request twice; the first is kept"))
        else:
            taken.add(found.id)
            characters += len(found.text)
            result.documents.append(replace(found, source=f"{ADDED}{found.id}"))
        if len(taken) > MOST_DOCUMENTS or characters > MOST_CHARACTERS:
            why = f"a request may bring {MOST_DOCUMENTS:,} documents and {MOST_CHARACTERS:,} characters; {INSTEAD}"
            return _Reading(file.name, error=why)
        if len(result.unread) > MOST_UNREAD:
            part, why = result.unread[0]
            return _Reading(
                file.name, error=f"more than {MOST_UNREAD:,} parts cannot be read; the first is {part}: {why}"
            )
    return result if result.documents else _nothing(result)


def _nothing(result: _Reading) -> _Reading:
    """A file of which nothing could be read, with the reason."""
    if len(result.unread) == 1:
        (_, why), *result.unread = result.unread
        return replace(result, error=why)
    return replace(result, error="nothing of it could be read" if result.unread else "contains no documents")


def _result(result: _Reading, added: Sequence[AddedDocument]) -> AddedFile:
    return AddedFile(
        name=result.name,
        documents=tuple(added),
        notices=tuple(result.notices),
        unread=tuple(result.unread),
        error=result.error,
    )
