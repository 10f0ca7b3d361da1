"""Lines that fit a width, broken between words. Widths are in cells: a Chinese character takes two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.cells import cell_len
from rich.text import Text

_WORD = re.compile(r"\s*\S+\s*|\s+")
_PIECE = re.compile(r"[^./_:,;@=&?-]*[./_:,;@=&?-]+|[^./_:,;@=&?-]+")
"""Parts of a long word, such as a URL or a dotted name, each with the sign that ends it."""


def wrapped(text: Text, width: int, indent: int = 0) -> list[Text]:
    """`text` in lines of at most `width` cells; all but the first begin with `indent` spaces.

    A word that is wider than a line is broken at its signs (`.`, `/`, `-` ...), and elsewhere only if it has none.
    """
    width = max(2, width)
    indent = min(indent, width // 2)
    lines = []
    for number, line in enumerate(text.divide(_breaks(text.plain, width, width - indent))):
        line.rstrip()
        lines.append(Text.assemble(" " * indent, line) if number and indent else line)
    return lines


def shortened(text: Text, width: int, lines: int = 1, *, indent: int = 0, ellipsis: str = "…") -> list[Text]:
    """The first `lines` lines of `text`; if there are more, the last one ends in an ellipsis, after a whole word."""
    found = wrapped(text, width, indent)
    if len(found) <= lines:
        return found
    # What follows the last whole line is wrapped anew, to leave room for the ellipsis.
    kept, last = found[: lines - 1], found[lines - 1]
    room = width - cell_len(ellipsis) - 1
    end = wrapped(last, room)[0] if room >= 2 else Text()
    return [*kept, Text.assemble(end, " " if end.plain else "", (ellipsis, last.style))]


def padded(text: Text, width: int, *, right: bool = False) -> Text:
    """`text` with spaces up to `width` cells; `right`: aligned to the right."""
    gap = " " * max(0, width - text.cell_len)
    return Text.assemble(gap, text) if right else Text.assemble(text, gap)


def _breaks(plain: str, first: int, rest: int) -> list[int]:
    """Offsets at which lines after the first one begin."""
    found: list[int] = []
    room, used = first, 0
    for start, word in _words(plain):
        if used + cell_len(word.rstrip()) <= room:
            used += cell_len(word)
        elif cell_len(word.rstrip()) <= rest:
            found.append(start)
            room, used = rest, cell_len(word)
        else:
            for at, piece in _pieces(word, rest):
                size = cell_len(piece.rstrip())
                if used and used + size > room:
                    found.append(start + at)
                    room, used = rest, 0
                used += cell_len(piece)
    return found


def _words(plain: str) -> Iterator[tuple[int, str]]:
    return ((match.start(), match.group()) for match in _WORD.finditer(plain))


def _pieces(word: str, width: int) -> Iterator[tuple[int, str]]:
    """The parts of a word that may each begin a line."""
    for match in _PIECE.finditer(word):
        piece = match.group()
        if cell_len(piece.rstrip()) <= width and cell_len(piece) == len(piece):
            yield match.start(), piece
        else:
            yield from _characters(piece, match.start())


def _characters(piece: str, start: int) -> Iterable[tuple[int, str]]:
    """Each visible character with the marks that follow it."""
    at = 0
    for number in range(1, len(piece) + 1):
        if number == len(piece) or cell_len(piece[number]) > 0:
            yield start + at, piece[at:number]
            at = number
