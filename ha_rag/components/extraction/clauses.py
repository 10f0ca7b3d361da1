"""Clauses as sentences: in Thai and its kin a space ends clauses and sentences, so neighbours stay together."""

from __future__ import annotations

import re
from collections.abc import Sequence

LEAST = 150
"""Characters, about the length of a sentence in other languages."""
_WITHOUT_FULL_STOPS = re.compile("[\u0e00-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f]")
Span = tuple[int, int]


def with_clauses_joined(text: str, spans: Sequence[Span]) -> list[Span]:
    """The sentences of a paragraph; of a script without full stops, neighbours joined until they are long enough."""
    if not _WITHOUT_FULL_STOPS.search(text):
        return list(spans)
    joined: list[Span] = []
    for start, end in spans:
        if joined and joined[-1][1] - joined[-1][0] < LEAST:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    if len(joined) > 1 and joined[-1][1] - joined[-1][0] < LEAST // 2:
        _, end = joined.pop()
        joined[-1] = (joined[-1][0], end)
    return joined
