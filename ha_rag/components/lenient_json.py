"""Reads JSON as services send it: strictly and fast if possible, else leniently."""

from __future__ import annotations

import json

import orjson

_DECODER = json.JSONDecoder(strict=False)
_BLANK = "\ufeff \t\r\n"


def read_json(body: bytes) -> object:
    """The JSON value at the start of `body`; what follows it is ignored. Raises ValueError if there is none.

    Beyond RFC 8259 it accepts a byte order mark, UTF-16, invalid UTF-8 (replaced), NaN and Infinity, line breaks within
    strings and unpaired surrogates, which stay in the strings: see `unicode_text`.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _decoded(_text(body), 0)[0]


def is_strict_json(body: bytes) -> bool:
    """Whether `body` is one JSON object, as nearly all replies are."""
    try:
        return body.startswith(b"{") and isinstance(orjson.loads(body), dict)
    except orjson.JSONDecodeError:
        return False


def documents_in(body: bytes) -> tuple[list[bytes], bytes]:
    """The JSON documents at the start of `body`, one after another, and what follows the last one."""
    text, at = _text(body), 0
    documents: list[bytes] = []
    while text[at : at + 1] in {"{", "["}:
        try:
            _, end = _decoded(text, at)
        except ValueError:
            break
        documents.append(text[at:end].encode())
        at = _after_blanks(text, end)
    return documents, text[at:].encode()


def _text(body: bytes) -> str:
    text = body.decode(json.detect_encoding(body), "replace")
    return text[_after_blanks(text, 0) :]


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in _BLANK:
        at += 1
    return at


def _decoded(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None
