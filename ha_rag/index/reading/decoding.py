"""Decodes bytes of any common encoding into text."""

from __future__ import annotations

import codecs
import re

import charset_normalizer

from ha_rag.errors import UnreadableDocumentError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
DETECTED_FROM = 65_536
"""How many bytes are used to detect an encoding."""


def decoded(document: str, data: bytes) -> str:
    """The text in `data`: UTF-8, UTF-16 with a byte order mark, or the most likely other encoding.

    Cleaned by `tidy`. Raises UnreadableDocumentError for binary data.
    """
    text = _with_mark(document, data) or _as_utf8(data)
    if text is None:
        text = _detected(document, data)
    if "\0" in text:
        raise UnreadableDocumentError(document, "binary data, not text")
    return tidy(text)


def _with_mark(document: str, data: bytes) -> str | None:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return data.decode(encoding)
            except UnicodeDecodeError as error:
                raise UnreadableDocumentError(
                    document, f"has a byte order mark for {encoding} but is not valid {encoding}"
                ) from error
    return None


def _as_utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _detected(document: str, data: bytes) -> str:
    if b"\0" in data:
        raise UnreadableDocumentError(document, "binary data, not text")
    best = charset_normalizer.from_bytes(data[:DETECTED_FROM]).best()
    if best is None:
        raise UnreadableDocumentError(document, "neither UTF-8 nor any other encoding that could be detected")
    text = data.decode(best.encoding, errors="replace")
    if len(_UNFIT.findall(text)) > len(text) // 100:
        raise UnreadableDocumentError(document, "binary data, not text")
    return text


def tidy(text: str) -> str:
    """`text` with line feeds as line ends, and with control characters and lone surrogates replaced by spaces."""
    return _UNFIT.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
