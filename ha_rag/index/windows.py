"""Splits long texts window by window: the splitter's time is quadratic in the distance to the next paragraph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

SMALLEST_WINDOW = 8_000
CHUNKS_A_WINDOW = 4
_BREAKS = ("\n\n", "\n", " ")


class ChunkSplitter(Protocol):
    """What semantic-text-splitter's splitters have in common."""

    def chunk_indices(self, text: str) -> Sequence[tuple[int, str]]:
        """The chunks of a text, each with the position of its first character."""
        ...


def chunks_of(text: str, splitter: ChunkSplitter, longest_chunk: int) -> Iterator[tuple[int, str]]:
    """The chunks of a text with their positions, in time linear in its length.

    `longest_chunk`: about how many characters a chunk may have. A window's last chunk is split again with what follows,
    so the chunks overlap as they would without windows.
    """
    size = smallest = max(SMALLEST_WINDOW, CHUNKS_A_WINDOW * longest_chunk)
    start = 0
    while start < len(text):
        end = _end(text, start, size)
        chunks = splitter.chunk_indices(text[start:end])
        if end == len(text):
            yield from ((start + at, chunk) for at, chunk in chunks)
            return
        if chunks and chunks[-1][0] == 0:
            size *= 2  # the whole window is one chunk
            continue
        yield from ((start + at, chunk) for at, chunk in chunks[:-1])
        start, size = start + chunks[-1][0] if chunks else end, smallest


def _end(text: str, start: int, size: int) -> int:
    """Where a window ends: at the last paragraph, line or word in its second half, if there is one."""
    end = start + size
    if end >= len(text):
        return len(text)
    found = (text.rfind(mark, start + size // 2, end) for mark in _BREAKS)
    return next((at + 1 for at in found if at >= 0), end)
