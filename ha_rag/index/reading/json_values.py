"""The JSON values of a file: one a line, or those of an array that spans lines."""

from __future__ import annotations

import codecs
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import UnreadableDocumentError

_SPACE = " \t\r\n\ufeff"


@dataclass(frozen=True, slots=True)
class JsonPart:
    """One value, by `name` for errors: `data` not yet parsed, or else `value`."""

    name: str
    data: bytes | None = None
    value: object = None


def json_parts(name: str, file: Path, max_bytes: int) -> Iterator[JsonPart]:
    """The values of a file. `max_bytes`: the longest line, or file of one array.

    Raises OSError, and UnreadableDocumentError at a line that is too long.
    """
    values = _spanning(file, max_bytes)
    if values is None:
        yield from _one_a_line(name, file, max_bytes)
    else:
        for number, value in enumerate(values, start=1):
            yield JsonPart(f"{name}:item {number}", value=value)


def _one_a_line(name: str, file: Path, max_bytes: int) -> Iterator[JsonPart]:
    with _opened(file) as lines:
        for number, data in enumerate(iter(lambda: lines.readline(max_bytes + 1), b""), start=1):
            if len(data) > max_bytes:
                # The start of the next line is unknown.
                why = f"longer than {max_bytes:,} bytes; the rest of the file is skipped"
                raise UnreadableDocumentError(f"{name}:{number}", why)
            if data.strip():
                yield from _of_line(f"{name}:{number}", data)


def _of_line(name: str, data: bytes) -> Iterator[JsonPart]:
    """A line's value; those of its array, if it is an array of objects. A comma after an object is no harm."""
    if data.startswith(b"{") and data.rstrip().endswith(b"},"):
        data = data.rstrip()[:-1]
    if data.lstrip().startswith(b"[{"):
        values = json_sequence(data.decode("utf-8", errors="replace"))
        if values is not None and all(isinstance(value, dict) for value in values):
            yield from (JsonPart(name, value=value) for value in values)
            return
    yield JsonPart(name, data)


def _spanning(file: Path, max_bytes: int) -> list[object] | None:
    """The values of a file whose first line is only the beginning of one; None if it has one value a line."""
    with _opened(file) as lines:
        first = next((line for line in iter(lambda: lines.readline(max_bytes + 1), b"") if line.strip()), b"")
        start = first.decode("utf-8", errors="replace").strip(_SPACE)
        if not start.startswith(("[", "{")) or len(first) > max_bytes or json_sequence(start) is not None:
            return None
        rest = lines.read(max_bytes + 1 - len(first))
    if len(first) + len(rest) > max_bytes:
        return None
    return json_sequence((first + rest).decode("utf-8", errors="replace"))


def json_sequence(text: str) -> list[object] | None:
    """The values that follow one another in a text, those of arrays one by one; None if it is not JSON."""
    decoder, at, values = json.JSONDecoder(), 0, list[object]()
    try:
        while at < len(text):
            if text[at] in _SPACE:
                at += 1
                continue
            value, at = decoder.raw_decode(text, at)
            values += value if isinstance(value, list) else [value]
    except (ValueError, RecursionError):
        return None
    return values


def _opened(file: Path) -> io.BufferedReader | _Recoded:
    """The file as UTF-8, if it is UTF-16 or UTF-32; otherwise as it is."""
    with file.open("rb") as opened:
        start = opened.read(4)
    encoding = _wide_encoding(start)
    return file.open("rb") if encoding is None else _Recoded(file, encoding)


def _wide_encoding(start: bytes) -> str | None:
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    zeros = "".join("0" if byte == 0 else "x" for byte in start)
    return {"0x0x": "utf-16-be", "x0x0": "utf-16-le"}.get(zeros)


class _Recoded(io.RawIOBase):
    """Lines of a text file in another encoding, as UTF-8."""

    def __init__(self, file: Path, encoding: str) -> None:
        super().__init__()
        self._lines = file.open(encoding=encoding, errors="replace", newline="\n")

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._lines.readline(-1 if size is None else size).encode("utf-8", "replace")

    def read(self, size: int = -1, /) -> bytes:
        return self._lines.read(size).encode("utf-8", "replace")

    def close(self) -> None:
        self._lines.close()
        super().close()
