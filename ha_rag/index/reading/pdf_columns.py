"""The text of a PDF page in reading order: columns whose lines are interleaved in the file are read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

MOST_PIECES = 3000
FEWEST_LINES = 4
PROSE_HEIGHTS = 8
"""Lines of a column of prose are at least this many times as wide as high, some twenty characters; cells of a table
are shorter."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A box around text on one line; its edges in points, from the lower left corner of the page."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def line(self) -> int:
        """Equal for pieces on one line."""
        return round((self.bottom + self.top) / 2 / 3)


def text_of(page: Any) -> str:
    """The text of a page (a PdfTextPage)."""
    text = _with_all_line_ends(page)
    count = page.count_rects()
    if not 2 * FEWEST_LINES <= count <= MOST_PIECES:
        return text
    pieces = [Piece(*page.get_rect(at)) for at in range(count)]
    gutter = interleaved_at(pieces)
    return text if gutter is None else _Columns(page).text(pieces, gutter)


def _with_all_line_ends(page: Any) -> str:
    """The text in the order of the file. PDFium forgets line ends of turned text in one of its two ways to give it."""
    bounded, ranged = (
        str(text).replace("\r\n", "\n").replace("\ufffe", "\x02")
        for text in (page.get_text_bounded(), page.get_text_range())
    )
    words = ranged.split()
    is_same = "".join(words) == "".join(bounded.split())
    return ranged if is_same and len(words) > len(bounded.split()) else bounded


def interleaved_at(pieces: Sequence[Piece]) -> float | None:
    """Where the gap between two columns of prose is whose lines alternate in the file; None if there is none."""
    for gutter in _gutters(pieces):
        left = [piece for piece in pieces if piece.right <= gutter]
        right = [piece for piece in pieces if piece.left >= gutter]
        lines = [len({piece.line for piece in side}) for side in (left, right)]
        if min(lines) < FEWEST_LINES or not all(map(_is_prose, (left, right), lines)):
            continue
        if _alternations(pieces, gutter) * 2 > min(lines):
            return gutter
    return None


def _is_prose(side: Sequence[Piece], lines: int) -> bool:
    height = sum(piece.top - piece.bottom for piece in side) / len(side)
    return sum(piece.right - piece.left for piece in side) >= PROSE_HEIGHTS * height * lines


def _gutters(pieces: Sequence[Piece]) -> list[float]:
    """Places that hardly any piece crosses, the ones with the fewest crossings first."""
    candidates = sorted({round(piece.left) - 1.0 for piece in pieces})
    edges = [(place, sum(piece.left < place < piece.right for piece in pieces)) for place in candidates[:200]]
    return [place for place, crossing in sorted(edges, key=lambda edge: edge[1]) if crossing * 4 <= len(pieces)][:8]


def _alternations(pieces: Sequence[Piece], gutter: float) -> int:
    """How often the file goes from the right column to the left one, a line further down."""
    sides = [(piece.right <= gutter, piece.line) for piece in pieces if not piece.left < gutter < piece.right]
    return sum(
        left and not before_left and line < before_line
        for (before_left, before_line), (left, line) in pairwise(sides)
        if abs(before_line - line) < 20
    )


class _Columns:
    """Reads the columns of a page."""

    def __init__(self, page: Any) -> None:
        self._page = page

    def text(self, pieces: Sequence[Piece], gutter: float) -> str:
        """Between lines across the whole page, first what is left of the gap and then what is right of it."""
        blocks: list[str] = []
        left: list[Piece] = []
        right: list[Piece] = []
        for piece in sorted(pieces, key=lambda piece: (-piece.line, piece.left)):
            if piece.left < gutter < piece.right:
                blocks += [*self._blocks(left), *self._blocks(right), self._of(piece)]
                left, right = [], []
            else:
                (left if piece.right <= gutter else right).append(piece)
        return "\n".join([*blocks, *self._blocks(left), *self._blocks(right)])

    def _blocks(self, column: Sequence[Piece]) -> list[str]:
        """The lines of a column, which may be several ones, and an empty one at its end."""
        if not column:
            return []
        gutter = interleaved_at(column)
        if gutter is not None:
            return [self.text(column, gutter)]
        lines: dict[int, list[str]] = {}
        for piece in column:
            lines.setdefault(piece.line, []).append(self._of(piece))
        return [*(" ".join(texts) for texts in lines.values()), ""]

    def _of(self, piece: Piece) -> str:
        box = (piece.left, piece.bottom, piece.right, piece.top)
        return str(self._page.get_text_bounded(*box)).strip("\r\n ")
