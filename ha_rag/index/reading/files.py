"""Files: which are read, how each form becomes documents, and how a folder is walked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import ConfigurationError, UnreadableDocumentError
from ha_rag.index.document import Document
from ha_rag.index.reading import apart
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.jsonl import Line, jsonl_lines
from ha_rag.index.splitting import DEFAULT_SPLITTING, SPLITTING_VERSION, Splitting, first_heading

READING_VERSION = 2
"""Raised whenever the same file would give another text: documents read by another version are read again."""
FORMS = {
    ".txt": "text", ".text": "text", ".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html",
    ".xhtml": "html", ".pdf": "pdf", ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip

# The id of a document is a name on one line (HTTP's rule for one, in `ha_rag.http.lines`).
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
Read = Document | UnreadableDocumentError


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much is read. `file_bytes`: of one file (of one line, in JSON lines). Raises ConfigurationError."""

    file_bytes: int = 50_000_000

    def __post_init__(self) -> None:
        if self.file_bytes < 1:
            raise ConfigurationError(f"file_bytes = {self.file_bytes!r}: must be at least 1")


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Found:
    """A file to be read. `name`: its path below the root that was given; the id of its document. `root`: that root."""

    path: Path
    name: str
    root: Path


def walk(path: Path) -> Iterator[Found | UnreadableDocumentError]:
    """The files at `path`, in the order of their names; a folder is walked, without what is hidden or not a document.

    Links to folders are followed once each, so a loop ends. What cannot be opened comes as its error.
    """
    try:
        if path.is_dir():
            yield from _walk_folder(path)
        elif path.is_file():
            yield _found(path, path.parent)
        else:
            yield UnreadableDocumentError(_named(path), "there is no such file or folder")
    except OSError as error:
        yield UnreadableDocumentError(_named(path), _why(error))


def _walk_folder(root: Path) -> Iterator[Found | UnreadableDocumentError]:
    seen: set[tuple[int, int]] = set()
    ahead = [root]  # a list of its own, not Python's stack: folders may lie deeper than that
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
    """What is in a folder, by name; nothing where it was seen before, through a link."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return []
    seen.add((status.st_dev, status.st_ino))
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _found(path: Path, root: Path) -> Found | UnreadableDocumentError:
    try:
        str(path.resolve()).encode()
    except UnicodeEncodeError:
        return UnreadableDocumentError(_named(path), "its name, or that of its folder, is not UTF-8 text; rename it")
    return Found(path, _CONTROL.sub(" ", path.relative_to(root).as_posix()), root)


def _named(path: Path) -> str:
    return _CONTROL.sub(" ", os.fsencode(path).decode(errors="backslashreplace"))


def read(found: Found, limits: Limits = DEFAULT_LIMITS, splitting: Splitting = DEFAULT_SPLITTING) -> Iterator[Read]:
    """The documents in a file, each with its digest; what cannot be read comes as its error, never as another one."""
    form = FORMS.get(found.path.suffix.lower())
    try:
        if form is None:
            raise UnreadableDocumentError(found.name, f"files like this are not read; known are {', '.join(FORMS)}")
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


def _of_line(found: Found, line: Line | UnreadableDocumentError, splitting: Splitting) -> Read:
    if isinstance(line, UnreadableDocumentError):
        return line
    return Document(
        id=line.id, text=line.text, title=line.title, source=f"{found.path.resolve()}#{line.id}",
        digest=digest(line.title, line.text, splitting), metadata=line.metadata,
    )  # fmt: skip


def _of_file(found: Found, form: str, limits: Limits, splitting: Splitting) -> Document:
    with found.path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(limits.file_bytes + 1) if size <= limits.file_bytes else b""
    if max(size, len(data)) > limits.file_bytes:
        told = max(size, len(data))
        raise UnreadableDocumentError(found.name, f"{told:,} bytes; files of up to {limits.file_bytes:,} are read")
    title, text = _text_of(found.name, form, data)
    if not any(character.isalnum() for character in text):
        raise UnreadableDocumentError(found.name, "has no text in it")
    return Document(
        id=found.name, text=text, title=title or found.path.stem, source=str(found.path.resolve()),
        digest=digest(title, text, splitting), markdown=form not in {"text", "pdf"},
    )  # fmt: skip


def _text_of(name: str, form: str, data: bytes) -> tuple[str, str]:
    if form in ("html", "pdf"):
        title, text = apart.shared.read(name, form, data)
        return title or (first_heading(text) if form == "html" else ""), text
    text = decoded(name, data)
    return (first_heading(text) if form == "markdown" else ""), text


def digest(title: str, text: str, splitting: Splitting, metadata: Mapping[str, object] | None = None) -> str:
    """Differs where the document, or the way it is read and split, differs."""
    made_by = (READING_VERSION, SPLITTING_VERSION, splitting.max_tokens, splitting.overlap_tokens)
    return hashlib.sha256(repr((made_by, title, text, sorted((metadata or {}).items()))).encode()).hexdigest()


def _why(error: OSError) -> str:
    return {13: "no permission to read it", 40: "a link that leads to itself"}.get(
        error.errno or 0, str(error.strerror)
    )
