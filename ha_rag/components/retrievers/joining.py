"""Joins passages that follow one another in a document, without repeating the text that both of them have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from ha_rag.components.retrievers.blocks import list_continues, table_continues
from ha_rag.language.sentences import CLOSERS, ENDS, SPACED_ENDS
from ha_rag.language.unspaced import LETTER

SHORTEST_OVERLAP = 8
"""Characters. Less may be equal by chance, such as the "5" in "... step 5" and "5. Restart"."""
_ENDS = (*SPACED_ENDS, *ENDS, *CLOSERS, ":", "`")


def joined_text(texts: Sequence[str]) -> str:
    """The texts of passages in their order, the overlap of two neighbours once."""
    return reduce(_joined, texts)


def _joined(before: str, after: str) -> str:
    shared = overlap(before, after)
    return before + (after[shared:] if shared else _between(before, after) + after)


def overlap(before: str, after: str) -> int:
    """How many characters at the end of `before` are the beginning of `after`."""
    head = after[:SHORTEST_OVERLAP]
    at = before.find(head, max(0, len(before) - len(after))) if len(head) == SHORTEST_OVERLAP else -1
    while at >= 0:
        if after.startswith(before[at:]):
            return len(before) - at
        at = before.find(head, at + 1)
    return 0


def _between(before: str, after: str) -> str:
    """What has stood between two texts that were trimmed: a line break in a list or table, a space in a sentence."""
    if list_continues(before, after) or table_continues(before, after):
        return "\n"
    if before.endswith(_ENDS) or after.startswith("#"):
        return "\n\n"
    return "" if LETTER.match(before[-1:]) or LETTER.match(after) else " "
