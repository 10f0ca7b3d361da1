"""Validates what is heard from Redis, item by item: any client may have written it, and any server may answer.

Each function returns the value or raises ForeignValueError, which says what is wrong. What a circuit's numbers can be
is in `ha_rag/circuit/bounds.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ha_rag.circuit.bounds import MAX_AHEAD_MS, MAX_TEXT, MAX_WHOLE

MAX_DIGITS = 16


class ForeignValueError(ValueError):
    """A value that the protocol cannot mean."""


class ForeignReplyError(ForeignValueError):
    """A whole reply that the protocol cannot mean."""


def text(item: Any) -> str:
    """An item of a reply as str, whether or not the client decodes replies."""
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def items_of(reply: Any, number: int | None = None) -> Sequence[Any]:
    """The items of a reply that is a list, of `number` items (None: any number). Raises ForeignReplyError."""
    if not isinstance(reply, list | tuple):
        raise ForeignReplyError(f"it is not a list but {type(reply).__name__}")
    if number is not None and len(reply) != number:
        raise ForeignReplyError(f"it has {len(reply)} items, not {number}")
    return reply


def whole(name: str, item: Any, low: int = 0, high: int = MAX_WHOLE) -> int:
    """An integer from `low` to `high`, in decimal digits. `name`: what it is, for the error."""
    written = text(item)
    digits = written.removeprefix("-")
    if not (len(digits) <= MAX_DIGITS and digits.isascii() and digits.isdecimal()):
        raise ForeignValueError(f"{name} is no whole number")
    if not low <= (number := int(written)) <= high:
        raise ForeignValueError(f"{name} is not between {low} and {high}")
    return number


def time_ms(name: str, item: Any, now_ms: int) -> int:
    """A time or an epoch, at most an hour ahead of the store's clock."""
    return whole(name, item, 0, now_ms + MAX_AHEAD_MS)


def bounded(name: str, item: Any, longest: int = MAX_TEXT) -> str:
    """A text of at most `longest` characters, all of which have a form in UTF-8 (JSON can spell others)."""
    written = text(item)
    if len(written) > longest:
        raise ForeignValueError(f"{name} is longer than {longest} characters")
    if not is_text(written):
        raise ForeignValueError(f"{name} is not text")
    return written


def is_text(written: str) -> bool:
    """Whether all characters have a form in UTF-8: no half of a surrogate pair has."""
    try:
        written.encode()
    except UnicodeEncodeError:
        return False
    return True


def one_of(name: str, item: Any, known: Sequence[str]) -> str:
    """One of the `known` texts."""
    written = text(item)
    if written not in known:
        raise ForeignValueError(f"{name} is none of {', '.join(known)}")
    return written
