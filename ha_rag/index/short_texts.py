"""Short texts stay whole: a splitter would count the tokens of a text that fits several times before it says so."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ha_rag.index.windows import ChunkSplitter

LONGEST_TOKEN = 8
"""Characters, on average. A text with more than this for each token that a chunk may have is not counted as a whole."""


@dataclass(frozen=True, slots=True)
class ShortTextsWhole:
    """Splits as `splitter` does. `count`: the tokens of a text. `max_tokens`: how many a chunk may have."""

    splitter: ChunkSplitter
    count: Callable[[str], int]
    max_tokens: int

    def chunk_indices(self, text: str) -> Sequence[tuple[int, str]]:
        """The chunks of a text, each with the position of its first character."""
        return [(0, text)] if self._is_one_chunk(text) else self.splitter.chunk_indices(text)

    def _is_one_chunk(self, text: str) -> bool:
        if not text or text != text.strip() or len(text) > LONGEST_TOKEN * self.max_tokens:
            return False
        return self.count(text) <= self.max_tokens
