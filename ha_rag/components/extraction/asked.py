"""The terms of a question, how much each of them means, and the terms of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from ha_rag.components.encodable import encodable
from ha_rag.language.detection import language_of
from ha_rag.language.terms import question_terms, terms_of, words_of

UNKNOWN = "en"
"""The language of a passage that shows none, such as a table of names."""
LANGUAGE_SHOWS = 400
"""Characters of a passage by which its language is told."""

Weight = Callable[[str], float]


@lru_cache(maxsize=4096)
def passage_language(text: str) -> str:
    """The language by which a passage's words are compared."""
    return language_of(text[:LANGUAGE_SHOWS]) or UNKNOWN


@lru_cache(maxsize=4096)
def terms_in(text: str, language: str) -> frozenset[str]:
    """The terms of a text, without common words."""
    return frozenset(terms_of(encodable(text), language))


def asked_terms(question: str, language: str, weight: Weight) -> Mapping[str, float]:
    """Term -> what it weighs, for comparison with texts in `language`; without common words and question words."""
    found: dict[str, float] = {}
    for term, word in _asked(question, language):
        found[term] = max(found.get(term, 0.0), weight(word))
    return found


@lru_cache(maxsize=4096)
def _asked(question: str, language: str) -> tuple[tuple[str, str], ...]:
    question = encodable(question)
    spoken = language_of(question)
    words = dict.fromkeys(words_of(question))
    return tuple((term, word) for word in words for term in _word_terms(word, language, spoken))


@lru_cache(maxsize=16_384)
def _word_terms(word: str, language: str, spoken: str) -> tuple[str, ...]:
    """Most words of a question have been asked before."""
    return tuple(question_terms(word, language, spoken))
