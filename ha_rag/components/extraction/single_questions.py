"""A question that asks two things, as two: each gets its own best sentence."""

from __future__ import annotations

import re
from functools import lru_cache

MOST = 3
FEWEST_WORDS = 2
"""Of a part; "and why?" belongs to what is before it."""
_ASKS = (
    r"how|what|when|where|who|whom|whose|which|why|wie|was|wann|wo|wer|wen|wem|welche[mnrs]?|warum|wozu|"
    r"(?:is|are|do|does|did|can|may|must|should) (?:i|we|you|it|they|there|the|an?|my|our|one)|"
    r"(?:darf|kann|muss|gibt|ist|sind) (?:ich|wir|man|es|der|die|das|ein\w*|mein\w*)|"
    r"quel(?:le)?s?|quand|combien|comment|où|qui|pourquoi|qué|cuándo|cuántos?|cuántas?|cómo|dónde|quién"
)
_BETWEEN = re.compile(
    rf"(?<=[?\uff1f])\s*(?=\S)|[,;]?\s+(?:and|und|et|y|or|oder)\s+(?:also\s+|auch\s+)?(?=(?:{_ASKS})\b)", re.IGNORECASE
)
_BEGINS_ASKING = re.compile(rf"\W*(?:{_ASKS})\b", re.IGNORECASE)


@lru_cache(maxsize=1024)
def single_questions(question: str) -> tuple[str, ...]:
    """The questions in it, in order; one if it is a single question or more than a few."""
    parts = [part.strip() for part in _BETWEEN.split(question)]
    parts = [part for part in parts if len(part.split()) >= FEWEST_WORDS or not part.isascii()]
    if not 1 < len(parts) <= MOST or not any(_BEGINS_ASKING.match(part) for part in parts[:1]):
        return (question,)
    return tuple(parts)
