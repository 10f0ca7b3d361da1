"""Finds the files below a path and reads each format into documents."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import ConfigurationError, UnreadableDocumentError
from ha_rag.index.document import Document
from ha_rag.index.reading import sandbox
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.jsonl import Line, jsonl_lines
from ha_rag.index.splitting import DEFAULT_SPLITTING, SPLITTING_VERSION, Splitting, first_heading

READING_VERSION = 2
"""Incremented when the same file would yield other text; documents read by another version are ingested again."""
FORMS = {
    ".txt": "text", ".text": "text", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".xhtml": "html", ".pdf": "pdf", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip

# A document's id must fit on one line; `ha_rag.http.lines` has the same rule.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
Read = Document | UnreadableDocumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """`file_bytes`: the largest file to read; for JSON lines, the longest line. Raises ConfigurationError."""

    file_bytes: int = 50_000_000

    def __post_init__(self) -> None:
        if self.file_bytes < 1:
            raise ConfigurationError(f"file_bytes = {self.file_bytes!r}: must be at least 1")


DEFAULT_LIMITS = ReadingLimits()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to read. `root`: the path that was given. `name`: its path relative to `root`; the id of its document."""

    path: Path
    name: str
    root: Path


def walk(path: Path) -> Iterator[FoundFile | UnreadableDocumentError]:
    """The files at `path`, sorted by name. In folders, hidden files and unsupported formats are skipped.

    Links to folders are followed once each, so cycles end. A path that cannot be opened is yielded as its error.
    """
    try:
        if path.is_dir():
            yield from _walk_folder(path)
        elif path.is_file():
            yield _found(path, path.parent)
        else:
            yield UnreadableDocumentError(_named(path), "no such file or folder")
    except OSError as error:
        yield UnreadableDocumentError(_named(path), _why(error))


def _walk_folder(root: Path) -> Iterator[FoundFile | UnreadableDocumentError]:
    seen: set[tuple[int, int]] = set()
    ahead = [root]  # an explicit stack: folders may be nested more deeply than Python's recursion limit
    while ahead:
        path = ahead.pop()
        try:
            if path == root or path.is_dir():
                ahead += reversed(_entries(path, seen))
            elif path.suffix.lower() in FORMS and path.is_file():
                yield _found(path, root)
        except OSError as error:
            yield UnreadableDocumentError(_named(path), _why(error))


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[Path]:
    """The entries of a folder, sorted by name; none if it has been visited before through a link."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _found(path: Path, root: Path) -> FoundFile | UnreadableDocumentError:
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError:
        return UnreadableDocumentError(_named(path), "its name or its folder's name is not valid UTF-8; rename it")
    return FoundFile(path, _CONTROL.sub(" ", path.relative_to(root).as_posix()), root)


def _named(path: Path) -> str:
    return _CONTROL.sub(" ", os.fsencode(path).decode(errors="backslashreplace"))


def read(
    found: FoundFile, limits: ReadingLimits = DEFAULT_LIMITS, splitting: Splitting = DEFAULT_SPLITTING
) -> Iterator[Read]:
    """The documents in a file, each with its digest. Anything that cannot be read is yielded as its error."""
    form = FORMS.get(found.path.suffix.lower())
    try:
        if form is None:
            raise UnreadableDocumentError(found.name, f"unsupported format; supported are {', '.join(FORMS)}")
        if form == "jsonl":
            yield from (
                _of_line(found, line, splitting) for line in jsonl_lines(found.name, found.path, limits.file_bytes)
            )
        else:
            yield _of_file(found, form, limits, splitting)
    except UnreadableDocumentError as error:
        yield error
    except OSError as error:
        yield UnreadableDocumentError(found.name, _why(error))


def _of_line(found: FoundFile, line: Line | UnreadableDocumentError, splitting: Splitting) -> Read:
    if isinstance(line, UnreadableDocumentError):
        return line
    return Document(
        id=line.id, text=line.text, title=line.title, source=f"{found.path.resolve()}#{line.id}",
        digest=digest(line.title, line.text, splitting), metadata=line.metadata,
    )  # fmt: skip


def _of_file(found: FoundFile, form: str, limits: ReadingLimits, splitting: Splitting) -> Document:
    with found.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(limits.file_bytes + 1) if size <= limits.file_bytes else b""
    if max(size, len(data)) > limits.file_bytes:
        size = max(size, len(data))
        raise UnreadableDocumentError(found.name, f"has {size:,} bytes; the limit is {limits.file_bytes:,}")
    title, text = _text_of(found.name, form, data)
    if not any(character.isalnum() for character in text):
        raise UnreadableDocumentError(found.name, "contains no text")
    return Document(
        id=found.name, text=text, title=title or found.path.stem, source=str(found.path.resolve()),
        digest=digest(title, text, splitting), markdown=form not in {"text", "pdf"},
    )  # fmt: skip


def _text_of(name: str, form: str, data: bytes) -> tuple[str, str]:
    if form in ("html", "pdf"):
        title, text = sandbox.shared.read(name, form, data)
        return title or (first_heading(text) if form == "html" else ""), text
    text = decoded(name, data)
    return (first_heading(text) if form == "markdown" else ""), text


def digest(title: str, text: str, splitting: Splitting, metadata: Mapping[str, object] | None = None) -> str:
    """A hash of the document and of the versions and settings by which it is read and split."""
    made_by = (READING_VERSION, SPLITTING_VERSION, splitting.max_tokens, splitting.overlap_tokens)
    return hashlib.sha256(repr((made_by, title, text, sorted((metadata or {}).items()))).encode()).hexdigest()


def _why(error: OSError) -> str:
    return {13: "no permission to read it", 40: "a symbolic link that points to itself"}.get(
        error.errno or 0, str(error.strerror)
    )
