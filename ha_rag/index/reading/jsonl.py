"""JSON lines in the BEIR layout: one document a line, {"_id": str, "title": str, "text": str, ...}."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.decoding import decoded, tidy

LONGEST_ID = 512


@dataclass(frozen=True, slots=True)
class Line:
    """One document of a file. `metadata`: the line's other fields."""

    id: str
    title: str
    text: str
    metadata: dict[str, object]


def jsonl_lines(name: str, file: Path, max_bytes: int) -> Iterator[Line | UnreadableDocumentError]:
    """The documents of a file, read line by line; an invalid line is yielded as its error.

    `name`: the file's name for errors. `max_bytes`: the longest line. Raises OSError.
    """
    with file.open("rb") as lines:
        for number, data in enumerate(iter(lambda: lines.readline(max_bytes + 1), b""), start=1):
            if not data.strip():
                continue
            try:
                yield _line(f"{name}:{number}", data, max_bytes)
            except UnreadableDocumentError as error:
                yield error
                if len(data) > max_bytes:
                    return  # the start of the next line is unknown


def _line(name: str, data: bytes, max_bytes: int) -> Line:
    if len(data) > max_bytes:
        raise UnreadableDocumentError(name, f"longer than {max_bytes:,} bytes; the rest of the file is skipped")
    try:
        fields = json.loads(decoded(name, data))
    except (ValueError, RecursionError) as error:
        raise UnreadableDocumentError(name, f"not JSON ({str(error)[:200]})") from error
    if not isinstance(fields, dict):
        raise UnreadableDocumentError(name, "not a JSON object")
    identity, title, text = (fields.pop(key, "") for key in ("_id", "title", "text"))
    if not isinstance(identity, str | int) or identity == "" or isinstance(identity, bool):
        raise UnreadableDocumentError(name, 'has no "_id"')
    if isinstance(identity, str) and len(identity) > LONGEST_ID:
        raise UnreadableDocumentError(name, f'"_id" has {len(identity):,} characters; the limit is {LONGEST_ID}')
    if not isinstance(text, str) or not isinstance(title, str | None):
        raise UnreadableDocumentError(name, '"text" and "title" must be strings')
    if not text.strip() and not (title or "").strip():
        raise UnreadableDocumentError(name, "contains no text")
    title = tidy(title or "")
    return Line(" ".join(tidy(str(identity)).splitlines()), title, tidy(text) if text.strip() else title, fields)
