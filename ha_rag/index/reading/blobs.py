"""Encoded data inside of text (base64, hexadecimal, uuencode): it is left out, since nobody asks about it."""

from __future__ import annotations

import re
from collections.abc import Sequence

SHORTEST_BLOB = 200
"""Characters; shorter ones are left in place, since they may be keys or hashes that somebody looks for."""
_DATA_URI = re.compile(r"\bdata:[\w.+/-]{0,100}(?:;[\w=.+-]{1,60}){0,5},[\w%+/=.~:;,-]{24,}", re.IGNORECASE)
_RUN = re.compile(r"[A-Za-z0-9+/_=-]{200,}")
_LINES = re.compile(
    r"(?:^[ \t>]*[A-Za-z0-9+/_=-]{40,200}[ \t]*\n){3,}(?:^[ \t>]*[A-Za-z0-9+/_=-]{1,200}[ \t]*$)?", re.MULTILINE
)
_UUENCODED = re.compile(r"^begin [0-7]{3,4} .{1,200}\n(?:M[!-`]{60}\n)+(?:[!-`]{1,61}\n)*`?\n?end$", re.MULTILINE)


def without_blobs(text: str) -> tuple[str, tuple[str, ...]]:
    """`text` without encoded data, and one notice that says how much was left out. Takes linear time."""
    left_out: list[int] = []

    def leave_out(found: re.Match[str]) -> str:
        left_out.append(len(found[0]))
        return " "

    def leave_out_if_encoded(found: re.Match[str]) -> str:
        return leave_out(found) if is_encoded(found[0]) else found[0]

    text = _DATA_URI.sub(leave_out, text)
    text = _UUENCODED.sub(leave_out, text)
    text = _LINES.sub(lambda found: leave_out_if_encoded(found) + "\n", text)
    text = _RUN.sub(leave_out_if_encoded, text)
    return text, notices(left_out)


def notices(left_out: Sequence[int]) -> tuple[str, ...]:
    """What to say of blobs of these lengths, in characters."""
    if not left_out:
        return ()
    places = "1 place" if len(left_out) == 1 else f"{len(left_out)} places"
    return (f"{sum(left_out):,} characters of encoded data in {places} are left out",)


def is_encoded(text: str) -> bool:
    """Whether a long text is base64 or hexadecimal. Words, DNA and identifiers lack the mix of letters and digits."""
    text = "".join(text.split())
    size = len(text)
    digits, upper = sum(map(str.isdigit, text)), sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    if size < SHORTEST_BLOB or _words_in(text) * 2 > size:
        return False
    if not set(text.lower()) - set("0123456789abcdef"):
        return digits > size // 5 and upper + lower > size // 10
    return min(upper, lower) > size // 8 and digits > size // 40


def _words_in(text: str) -> int:
    """Characters in parts that look like words between hyphens, underlines and slashes, beyond what chance explains."""
    words = sum(len(part) for part in re.split(r"[-_/+=]", text) if len(part) < 20 and part.isalpha())
    return words - len(text) // 5
