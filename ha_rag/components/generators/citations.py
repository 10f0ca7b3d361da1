"""Citations in an answer's text: [1], [2][3], [1, 2]."""

from __future__ import annotations

import re

CITATION = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


def cited_in(text: str, passages: int) -> tuple[int, ...]:
    """The numbers from 1 to `passages` that `text` cites, without repetitions, in order of first use."""
    numbers = (int(n) for group in CITATION.findall(text) for n in group.split(","))
    return tuple(dict.fromkeys(n for n in numbers if 1 <= n <= passages))
