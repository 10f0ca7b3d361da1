"""JSON lines: one document a line, {"_id": str, "title": str, "text": str, ...} as in BEIR, or with similar names.

An array of such objects is read as well, on one line or on many.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import decoded, tidy
from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.json_values import JsonPart, json_parts

if TYPE_CHECKING:
    from ha_rag.index.reading.files import ReadingLimits

LONGEST_ID = 512
IDS, TEXTS = ("_id", "id", "doc_id"), ("text", "content", "body", "contents", "page_content")
"""Names of the fields, the first of which is taken that is there."""


@dataclass(frozen=True, slots=True)
class Line:
    """One document of a file. `metadata`: its other fields, and those in "metadata"."""

    id: str
    title: str
    text: str
    metadata: dict[str, object]


def jsonl_lines(name: str, file: Path, limits: ReadingLimits) -> Iterator[Line | UnreadableDocumentError]:
    """The documents of a file, read line by line; an invalid line is yielded as its error.

    `name`: the file's name for errors. A second document with the same id is an error, too. Raises OSError.
    """
    ids: set[str] = set()
    part = None
    for part in json_parts(name, file, limits.file_bytes):
        try:
            line = _line(part, limits.encoding)
            if line.id in ids:
                raise UnreadableDocumentError(part.name, f"has the id {line.id!r} twice; the first is kept")
            ids.add(line.id)
            yield line
        except UnreadableDocumentError as error:
            yield error
    if part is None:
        raise UnreadableDocumentError(name, "contains no documents")


def _line(part: JsonPart, encoding: str) -> Line:
    fields = part.value if part.data is None else _parsed(part.name, part.data, encoding)
    if not isinstance(fields, dict):
        raise UnreadableDocumentError(part.name, "not a JSON object")
    fields = dict(fields)
    identity, text = (_first(fields, names) for names in (IDS, TEXTS))
    title, more = fields.pop("title", ""), fields.pop("metadata", None)
    if isinstance(identity, float):
        identity = str(identity)
    if not isinstance(identity, str | int) or identity == "" or isinstance(identity, bool):
        raise UnreadableDocumentError(part.name, 'has no "_id" or "id"')
    if isinstance(identity, str) and len(identity) > LONGEST_ID:
        raise UnreadableDocumentError(part.name, f"its id has {len(identity):,} characters; the limit is {LONGEST_ID}")
    if text == "" and not title:
        raise UnreadableDocumentError(part.name, f"contains no text: no {' or '.join(map(repr, TEXTS))}")
    if not isinstance(text, str) or not isinstance(title, str | None):
        raise UnreadableDocumentError(part.name, f'{" or ".join(map(repr, TEXTS))} and "title" must be strings')
    if not text.strip() and not (title or "").strip():
        raise UnreadableDocumentError(part.name, "contains no text")
    title = tidy(title or "")
    metadata = {**more, **fields} if isinstance(more, dict) else fields | ({"metadata": more} if more else {})
    return Line(" ".join(tidy(str(identity)).splitlines()), title, tidy(text) if text.strip() else title, metadata)


def _first(fields: dict[str, object], names: tuple[str, ...]) -> object:
    """The value of the first of `names` that is there; it is taken out of `fields`."""
    name = next((name for name in names if fields.get(name) not in (None, "")), names[0])
    return fields.pop(name, "")


def _parsed(name: str, data: bytes, encoding: str) -> object:
    try:
        return json.loads(decoded(RawFile(name=name, data=data, assumed_encoding=encoding)).text)
    except (ValueError, RecursionError) as error:
        raise UnreadableDocumentError(name, f"not JSON ({str(error)[:200]})") from error
