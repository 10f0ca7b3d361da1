"""Joins words that were hyphenated at the ends of lines."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MARK = "\x02"
"""What PDFium writes for a hyphen at the end of a line, instead of the hyphen and the line end."""
_BROKEN = re.compile(r"(\w{1,60})(?:\x02\s?|[\u00ad\u2010-]\n)(\w{1,60})")
_COMPOUND = re.compile(r"\w{1,60}-\w{1,60}")


def joined_pages(pages: Iterable[str]) -> str:
    """The texts of pages with a blank line between them, but where a hyphen ends one and the next begins small."""
    made = ""
    for page in pages:
        if made.endswith("-") and made[-2:-1].isalpha() and page[:1].islower():
            made = f"{made[:-1]}{_MARK}{page}"
        else:
            made = f"{made}\n\n{page}" if made else page
    return made


def rejoined(text: str) -> str:
    """`text` with words joined that a hyphen divides at the end of a line.

    The hyphen stays where the next part begins with a capital letter or a digit, and where the text also has the word
    with a hyphen inside of a line.
    """
    compounds = frozenset(_COMPOUND.findall(text))

    def joined(found: re.Match[str]) -> str:
        left, right = found[1], found[2]
        hyphenated = f"{left}-{right}"
        return left + right if right[0].islower() and left[-1].isalpha() and hyphenated not in compounds else hyphenated

    # Twice, since one word may be divided on two lines.
    return _BROKEN.sub(joined, _BROKEN.sub(joined, text)).replace(_MARK, "-")
