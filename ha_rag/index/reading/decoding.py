"""Decoding: bytes become text, whatever they were encoded in, or it is said why not."""

from __future__ import annotations

import codecs
import re

import charset_normalizer

from ha_rag.errors import UnreadableDocumentError

_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
DETECTED_FROM = 65_536
"""Bytes from which a foreign encoding is told; all of a long text tells no more."""


def decoded(document: str, data: bytes) -> str:
    """The text in `data`: UTF-8, UTF-16 with a mark, or what its bytes look like most.

    Tidied (see `tidy`). Raises UnreadableDocumentError for binary data.
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
                    document, f"begins as {encoding} and goes on as something else"
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
        raise UnreadableDocumentError(document, "neither UTF-8 nor any other encoding that could be told")
    text = data.decode(best.encoding, errors="replace")
    if len(_UNFIT.findall(text)) > len(text) // 100:
        raise UnreadableDocumentError(document, "binary data, not text")
    return text


def tidy(text: str) -> str:
    """`text` as it can be stored and shown: line feeds end lines; control and half characters are spaces."""
    return _UNFIT.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
