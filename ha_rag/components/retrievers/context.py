"""Context: passages that belong together become one, so that an answer is not made from half of a list or a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ha_rag.components.retrievers.blocks import (
    begins_in_list,
    ends_in_list,
    header_in,
    lacks_header,
    list_continues,
    table_continues,
)
from ha_rag.components.retrievers.joining import joined_text
from ha_rag.messages import Passage

LONGEST = 6_000
"""Characters of a passage that was joined, at most: a quarter of what a prompt has room for."""
COMPLETED = 5
"""How many of the best passages are completed by neighbours that were not found."""
HEADER_WITHIN = 96
"""How many passages before one are searched for the header of its table, at most."""
AT_ONCE = 16
"""How many of them are fetched at a time."""

Fetch = Callable[[Sequence[int]], dict[int, Passage]]
"""Passages by row; those that are not in the index are left out."""


def in_context(found: Sequence[tuple[int, Passage]], fetch: Fetch) -> list[Passage]:
    """The passages of (row, passage) pairs, best first, with their context; not more than were found.

    Passages that follow one another in a section are joined. A list that the splitter has cut is completed by
    neighbours that were not found; rows of a table get its header. In consecutive rows are the passages of a document.
    """
    passages: list[Passage] = []
    left = dict(found)
    for row, passage in found:
        if left.pop(row, None) is not None:
            stretch = _Stretch(row, passage, left, fetch if len(passages) < COMPLETED else _nothing)
            stretch.grow()
            passages.append(stretch.joined())
    return passages


def _nothing(_: Sequence[int]) -> dict[int, Passage]:
    return {}


class _Stretch:
    """Passages of consecutive rows around the best one. `found`: those that may be added; what is added leaves it."""

    def __init__(self, row: int, best: Passage, found: dict[int, Passage], fetch: Fetch) -> None:
        self._best = best
        self._first = self._last = row
        self._passages = [best]
        self._found = found
        self._fetch = fetch
        self._room = LONGEST - len(best.text)

    def grow(self) -> None:
        """Adds what follows and what precedes, as long as it belongs there and there is room."""
        while (after := self._neighbour(self._last + 1)) is not None:
            self._last += 1
            self._passages.append(after)
        while (before := self._neighbour(self._first - 1)) is not None:
            self._first -= 1
            self._passages.insert(0, before)

    def joined(self) -> Passage:
        """One passage, with the header of its table if it begins below one."""
        header = self._header() if lacks_header(self._passages[0].text) else None
        if header is None and len(self._passages) == 1:
            return self._best
        text = joined_text([passage.text for passage in self._passages])
        return replace(self._best, text=text if header is None else f"{header}\n{text}")

    def _neighbour(self, row: int) -> Passage | None:
        """The passage in `row`, if it belongs to this stretch; it then leaves what may be added."""
        is_next = row > self._last
        is_cut = ends_in_list(self._passages[-1].text) if is_next else begins_in_list(self._passages[0].text)
        passage = self._found.get(row) or (self._fetch([row]).get(row) if is_cut else None)
        if passage is None or len(passage.text) > self._room:
            return None
        before, after = (self._passages[-1], passage) if is_next else (passage, self._passages[0])
        if not follows(before, after) or not (row in self._found or list_continues(before.text, after.text)):
            return None
        self._found.pop(row, None)
        self._room -= len(passage.text)
        return passage

    def _header(self) -> str | None:
        after = self._passages[0]
        for before in self._before():
            if not follows(before, after) or not table_continues(before.text, after.text):
                return None
            header = header_in(before.text)
            if header is not None:
                return header
            after = before
        return None

    def _before(self) -> Iterator[Passage]:
        """The passages before this stretch, the nearest first; ends at a row that is missing."""
        for end in range(self._first, self._first - HEADER_WITHIN, -AT_ONCE):
            rows = range(end - AT_ONCE, end)
            fetched = self._fetch(rows)
            for row in reversed(rows):
                if row not in fetched:
                    return
                yield fetched[row]


def follows(before: Passage, after: Passage) -> bool:
    """Whether `after` is the next passage of the same section of the same document."""
    return (before.document, before.heading) == (after.document, after.heading) and _number(after) == _number(
        before
    ) + 1


def _number(passage: Passage) -> int:
    return int(passage.id.rpartition("#")[2])
