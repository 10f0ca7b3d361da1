r"""Redactor: strikes known secrets out of text, however a service or a library wrote them.

A secret is found in any casing; percent-encoded, JSON-escaped, as an HTML reference, in octal or in hexadecimal, wholly
or partly and up to three times over; in base64 (either alphabet, any alignment, with or without padding or line
breaks); and cut short, from its first 8 characters on.

Text is compared as bytes in a plain form: decoded, in lower case, and with the two alphabets of base64 made one. Each
byte of the plain form knows where it stood, so that what is struck out is the original.

Sources: RFC 3986 (2.1), RFC 8259 (7), RFC 4648 (4 and 5).
"""

from __future__ import annotations

import base64
import html
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import cache, lru_cache
from typing import Any

LEAST_PREFIX = 8
"""Characters of a secret that are struck out where the rest was cut off."""

SHORTEST = 4
"""Bytes; a shorter secret protects nothing, and striking it out would spoil ordinary text."""

OUR_WORDS = frozenset({
    "state", "before", "after", "mode", "kind", "scope", "shared_state", "status", "type", "at", "history",
})  # fmt: skip
"""Fields whose texts are ours, or that hold numbers."""

STRUCK = b"***"
_REMEMBERED, _KNOWN = 300, 4096
_LAYERS = 3
# What an encoder writes for one byte, or adds between two of them.
_ENCODED = re.compile(
    rb"%[0-9A-Fa-f]{2}"
    rb"|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}|\\[0-3][0-7]{2}|\\[\"'\\/]"
    rb"|&(?:#[0-9]{1,7};?|#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z]{2,8};)"
    rb"|\x1b\[[0-?]*[ -/]*[@-~]|\\[nrt]|[\x00-\x1f\x7f]+"
    rb"|\xc2\xad|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf|\xf3\xa0[\x80-\x87][\x80-\xbf]"
)
_PLAIN = bytes.maketrans(b"-_ ", b"+/+")
_BASE64 = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789+/")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Needle:
    """One form of a secret, in plain form. `least`: its shortest prefix that counts. `before`, `after`: how many
    characters beside it hold some of its bits, which is so in base64.
    """

    text: bytes
    least: int
    before: int = 0
    after: int = 0


class Redactor:
    """Strikes `secrets` out; those shorter than 4 bytes are ignored. Immutable, and safe across threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in (secret, secret.lower(), secret.upper())}
        known = [form.encode("utf-8", "surrogatepass") for form in forms]
        self._remembered = lru_cache(_KNOWN)(self.redacted)  # names and reasons are shown again every second
        self._needles: dict[bytes, list[_Needle]] = defaultdict(list)  # by their first bytes
        for needle in {needle for form in known if len(form) >= SHORTEST for needle in _needles(form)}:
            self._needles[needle.text[:SHORTEST]].append(needle)

    def redacted(self, text: str) -> str:
        """`text` with *** for each secret in it."""
        if not self._needles:
            return text
        data = text.encode("utf-8", "surrogatepass")
        spans = sorted(span for view in _views(data) for span in self._spans(view))
        return _struck(data, spans).decode("utf-8", "surrogatepass") if spans else text

    def redacted_in(self, value: Any) -> Any:
        """`value`, made of dataclasses, lists, tuples and dicts, with `redacted` for each text in it that is shown.

        Words of our own, such as a circuit's state, stay: those of the fields in `OUR_WORDS`, and the keys of a dict.
        """
        if not self._needles:
            return value
        if isinstance(value, str):
            return self._remembered(value) if len(value) <= _REMEMBERED else self.redacted(value)
        if isinstance(value, dict):
            return {key: inner if key in OUR_WORDS else self.redacted_in(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return type(value)([self.redacted_in(inner) for inner in value])
        if is_dataclass(value) and not isinstance(value, type):
            told = {name: getattr(value, name) for name in _fields_of(type(value)) if name not in OUR_WORDS}
            changed = {name: new for name, old in told.items() if (new := self.redacted_in(old)) != old}
            return replace(value, **changed) if changed else value
        return value

    def _spans(self, view: _View) -> Iterator[Span]:
        # Most lines hold none: looking each place up once is faster than looking for each needle.
        for first in self._needles.keys() & view.beginnings():
            for needle in self._needles[first]:
                yield from view.spans(needle)


@cache
def _fields_of(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind))


NOTHING_KNOWN = Redactor()
"""Leaves every text as it is."""


def _struck(data: bytes, spans: Iterable[Span]) -> bytes:
    pieces, end = [], -1
    for start, stop in spans:
        if start > end:
            pieces += [data[max(end, 0) : start], STRUCK]
        end = max(end, stop)
    return b"".join([*pieces, data[end:]])


def _needles(secret: bytes) -> Iterator[_Needle]:
    least = min(LEAST_PREFIX, len(secret))
    yield _Needle(_plain(secret), least)
    yield _Needle(secret.hex().encode(), 2 * least)
    for shift in range(3):  # how many bytes stand before it in its group of three
        first = -(-8 * shift // 6)  # the first character that holds bits of the secret alone
        encoded = base64.b64encode(bytes(shift) + secret)[first : 8 * (shift + len(secret)) // 6]
        yield _Needle(_plain(encoded), 8 * (shift + least) // 6 - first, before=min(shift, 1), after=1)


def _plain(text: bytes) -> bytes:
    return text.lower().translate(_PLAIN)


class _View:
    """A text with so many layers of encoding removed. `places`: where each of its bytes stood in `data`."""

    def __init__(self, data: bytes, text: bytes, places: Sequence[Span] | None = None) -> None:
        self._data = data
        self._text = text
        self._places = places
        self._plain = _plain(text)

    def decoded(self) -> _View | None:
        """The same without one more layer; None if it has none."""
        text, places, end = bytearray(), list[Span](), 0
        for found in _ENCODED.finditer(self._text):
            text += self._text[end : found.start()]
            places += map(self._place, range(end, found.start()))
            meant = _meant(found[0])
            text += meant
            places += [(self._place(found.start())[0], self._place(found.end() - 1)[1])] * len(meant)
            end = found.end()
        if not end:
            return None
        places += map(self._place, range(end, len(self._text)))
        return _View(self._data, bytes(text) + self._text[end:], places)

    def beginnings(self) -> set[bytes]:
        """The bytes at each place, as many as the shortest secret has."""
        plain = self._plain
        return {plain[at : at + SHORTEST] for at in range(len(plain) - SHORTEST + 1)}

    def spans(self, needle: _Needle) -> Iterator[Span]:
        """Where in the data the needle stands, or at least its shortest prefix."""
        plain, seed = self._plain, needle.text[: needle.least]
        start = plain.find(seed)
        while start >= 0:
            stop = start + needle.least
            while plain[start : stop + 1] == needle.text[: stop - start + 1] and stop < len(plain):
                stop += 1
            yield self._widened(needle, start, stop)
            start = plain.find(seed, stop)

    def _widened(self, needle: _Needle, start: int, stop: int) -> Span:
        if needle.before and start and self._plain[start - 1] in _BASE64:
            start -= 1
        if needle.after and stop < len(self._plain) and self._plain[stop] in _BASE64:
            stop += 1
        first, last = self._place(start)[0], self._place(stop - 1)[1]
        while last < len(self._data) and self._data[last] & 0xC0 == 0x80:  # the rest of a character
            last += 1
        return first, last

    def _place(self, at: int) -> Span:
        return (at, at + 1) if self._places is None else self._places[at]


def _views(data: bytes) -> Iterator[_View]:
    view: _View | None = _View(data, data)
    for _ in range(_LAYERS + 1):
        if view is None:
            return
        yield view
        view = view.decoded()


def _meant(encoded: bytes) -> bytes:
    r"""The byte that was encoded; nothing for what only stands between two of them, such as a line break."""
    match encoded[:1], encoded[1:2]:
        case b"%", _:
            return bytes.fromhex(encoded[1:].decode())
        case b"&", _:
            return html.unescape(encoded.decode()).encode("utf-8", "surrogatepass")
        case b"\\", b"x":
            return bytes.fromhex(encoded[2:].decode())
        case b"\\", b"u":
            return chr(int.from_bytes(bytes.fromhex(encoded[2:].decode()))).encode("utf-8", "surrogatepass")
        case b"\\", b"0" | b"1" | b"2" | b"3":
            return bytes([int(encoded[1:], 8)])
        case b"\\", b"n" | b"r" | b"t":
            return b""
        case b"\\", meant:
            return meant
        case _:
            return b""
