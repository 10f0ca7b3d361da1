"""Reads each file into documents."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ha_rag.errors import ConfigurationError, UnreadableDocumentError
from ha_rag.index.document import Document, has_words
from ha_rag.index.reading import kinds, sandbox
from ha_rag.index.reading.content_kinds import form_of_content
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.jsonl import Line, jsonl_lines
from ha_rag.index.reading.neighbours import Neighbours
from ha_rag.index.reading.sniffing import looks_like_text
from ha_rag.index.reading.walking import FoundFile, is_transient, why_of
from ha_rag.index.slices import add_repr
from ha_rag.index.splitting import DEFAULT_SPLITTING, SPLITTING_VERSION, Splitting

READING_VERSION = 4
"""Incremented when the same file would yield other text; documents read by another version are ingested again."""


@dataclass(frozen=True, slots=True)
class ReadingNotice:
    """What the user should know of a document that was read all the same, such as a replaced byte."""

    document: str
    what: str

    def __str__(self) -> str:
        return f"{self.document}: {self.what}"


MARKED_FORMS = frozenset({"pdf", "word", "slides", "sheets", "opendocument", "rich_text", "epub"})
"""Forms whose files cannot be taken for text."""
FORM_NAMES = {
    "word": "a Word file", "slides": "a presentation", "sheets": "a spreadsheet", "rich_text": "RTF", "pdf": "PDF",
    "opendocument": "an OpenDocument file", "html": "a web page", "epub": "EPUB", "delimited": "a table of text",
    "xml": "XML",
}  # fmt: skip
Read = Document | ReadingNotice | UnreadableDocumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """What is read, and how.

    `file_bytes`: the largest file to read; for JSON lines, the longest line. `encoding`: of text that is neither UTF-8
    nor declares what it is, where it fits; "": the likeliest one. Raises ConfigurationError.
    """

    file_bytes: int = 50_000_000
    encoding: str = ""

    def __post_init__(self) -> None:
        if self.file_bytes < 1:
            raise ConfigurationError(f"file_bytes = {self.file_bytes!r}: must be at least 1")


DEFAULT_LIMITS = ReadingLimits()


def read(
    found: FoundFile,
    limits: ReadingLimits = DEFAULT_LIMITS,
    splitting: Splitting = DEFAULT_SPLITTING,
    neighbours: Neighbours | None = None,
) -> Iterator[Read]:
    """The documents in a file, each with its digest, and what is to be said of them.

    Anything that cannot be read is yielded as its error. `neighbours`: asked about doubtful encodings.
    """
    form = kinds.form_of(found.name)
    try:
        if form == "jsonl":
            yield from _of_lines(found, limits, splitting)
        else:
            yield from _of_file(found, form, limits, splitting, neighbours or Neighbours())
    except UnreadableDocumentError as error:
        yield error
    except OSError as error:
        yield UnreadableDocumentError(found.name, why_of(error), transient=is_transient(error))


def _of_lines(found: FoundFile, limits: ReadingLimits, splitting: Splitting) -> Iterator[Read]:
    file = found.path.resolve()
    for line in jsonl_lines(found.name, found.path, limits):
        yield _of_line(file, line, splitting) if isinstance(line, Line) else line


def _of_line(file: Path, line: Line, splitting: Splitting) -> Document:
    return Document(
        id=line.id, text=line.text, title=line.title, source=f"{file}#{line.id}",
        digest=digest(line.title, line.text, splitting), metadata=line.metadata,
    )  # fmt: skip


def _of_file(
    found: FoundFile, form: str | None, limits: ReadingLimits, splitting: Splitting, neighbours: Neighbours
) -> Iterator[Read]:
    data = _bytes_of(found, limits)
    named, form = form, _form_by_content(form, data) or _form_of_unknown(found, data)
    if named not in (None, form):
        yield ReadingNotice(found.name, f"read as {FORM_NAMES.get(form, form)}, which it is despite its name")
    extract = _extract(found, form, data, limits, neighbours)
    yield from (ReadingNotice(found.name, notice) for notice in extract.notices)
    yield from (UnreadableDocumentError(f"{found.name}, {part}", why) for part, why in extract.unread)
    yield _document(found, extract, splitting)


def _bytes_of(found: FoundFile, limits: ReadingLimits) -> bytes:
    with found.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(limits.file_bytes + 1) if size <= limits.file_bytes else b""
    if max(size, len(data)) > limits.file_bytes:
        size = max(size, len(data))
        raise UnreadableDocumentError(found.name, f"has {size:,} bytes; the limit is {limits.file_bytes:,}")
    if not data:
        raise UnreadableDocumentError(found.name, "contains no text")
    return data


def _form_by_content(form: str | None, data: bytes) -> str | None:
    """The form of a file by its content where that shows, else the one by its name."""
    by_content = form_of_content(data, page=form in MARKED_FORMS or form is None)
    if by_content is None and form == "sheets" and looks_like_text(data[:8000]):
        return "xml" if data.lstrip()[:5] == b"<?xml" else "delimited"  # as other programs write files for Excel
    return by_content or form


def _form_of_unknown(found: FoundFile, data: bytes) -> str:
    """Text, if a file with an unknown ending is text."""
    kind = kinds.passed_over(found.name)
    if kind is None and looks_like_text(data[:8000]):
        return "text"
    what = "unsupported format" if kind is None else f"unsupported format ({kind})"
    raise UnreadableDocumentError(found.name, f"{what}; supported are text and {', '.join(kinds.FORMS)}")


def _extract(found: FoundFile, form: str, data: bytes, limits: ReadingLimits, neighbours: Neighbours) -> Extract:
    file = RawFile(name=found.name, data=data, assumed_encoding=limits.encoding)
    extract = sandbox.shared.read(form, file)
    if not extract.guessed:
        return extract
    likely = neighbours.likely(found.path, found.root, data, extract.guessed)
    if not likely:
        return extract
    again = sandbox.shared.read(form, replace(file, assumed_encoding=likely))
    notice = f"read as {likely}, since the other files of its folder have the same characters"
    return replace(again, notices=(*again.notices, notice))


def _document(found: FoundFile, extract: Extract, splitting: Splitting) -> Document:
    if not has_words(extract.text):
        raise UnreadableDocumentError(found.name, "contains no text")
    title = " ".join(tidy(extract.title).split())
    text = tidy(extract.text)
    return Document(
        id=found.name, text=text, title=title or PurePath(found.name).stem, source=str(found.path.resolve()),
        digest=digest(title, text, splitting, extract.metadata), markdown=extract.markdown,
        metadata=extract.metadata,
    )  # fmt: skip


def digest(title: str, text: str, splitting: Splitting, metadata: Mapping[str, object] | None = None) -> str:
    """A hash of the document and of the versions and settings by which it is read and split."""
    made_by = (READING_VERSION, SPLITTING_VERSION, splitting.max_tokens, splitting.overlap_tokens)
    found = hashlib.sha256(f"({made_by!r}, {title!r}, ".encode())
    add_repr(found, text)
    found.update(f", {sorted((metadata or {}).items())!r})".encode())
    return found.hexdigest()
