"""Evidence: whether the passages can answer the question at all.

Three measures of a passage are added, each from 0 to 1: the share of the question's words that it has, weighted by how
much they mean; the same for words that only mean the same, by the vectors of tokens; and the cosine similarity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ha_rag.components.extraction.asked import Weigh, asked_terms
from ha_rag.components.extraction.parts import parts_of
from ha_rag.components.extraction.similarity import Compared
from ha_rag.messages import Passage

JUDGED = 3
"""How many passages are looked at, best first."""
LEAST = 1.10
"""Measured on halves of XQuAD and Cranfield, each asked of the other's documents (benchmarks/answers.py)."""
LEAST_BY_WORDS = 0.33
"""Without an embedder, of the share of words alone."""


def can_answer(question: str, passages: Sequence[Passage], compared: Compared | None, weigh: Weigh | None) -> bool:
    """Whether the first passages say enough of what is asked. `compared`, `weigh`: of TokenSimilarity, or None."""
    shown = passages[:JUDGED]
    if compared is None or weigh is None:
        return coverage(question, shown, letters_weights) >= LEAST_BY_WORDS
    return evidence(question, shown, compared, weigh) >= LEAST


def evidence(question: str, passages: Sequence[Passage], compared: Compared, weigh: Weigh) -> float:
    """Of the best passage, from 0 to 3."""
    measured = zip(_shares(question, passages, weigh), compared.passages, compared.covered, strict=False)
    return max((share + cosine + alike for share, cosine, alike in measured), default=0.0)


def coverage(question: str, passages: Sequence[Passage], weigh: Weigh) -> float:
    """The weighted share of the question's terms in the best passage, from 0 to 1."""
    return max(_shares(question, passages, weigh), default=0.0)


def _shares(question: str, passages: Sequence[Passage], weigh: Weigh) -> list[float]:
    """The weighted share of the question's terms in each passage."""
    read = [parts_of(passage) for passage in passages]
    asked = {language: asked_terms(question, language, weigh) for language in {each.language for each in read}}
    return [_share(asked[each.language], each.terms) for each in read]


def _share(asked: Mapping[str, float], present: frozenset[str]) -> float:
    total = sum(asked.values())
    return sum(weight for term, weight in asked.items() if term in present) / total if total else 0.0


def letters_weights(words: Sequence[str]) -> list[float]:
    """Long words mean more than short ones."""
    return [math.sqrt(len(word)) for word in words]
