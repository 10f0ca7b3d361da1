"""The terms of a question, how much each of them means, and the terms of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from ha_rag.components.encodable import encodable
from ha_rag.language.detection import language_of, question_language
from ha_rag.language.terms import distinct_terms, question_words, word_terms

UNKNOWN = "en"
"""The language of a passage that shows none, such as a table of names."""
LANGUAGE_SHOWS = 400
"""Characters of a passage by which its language is told."""

Weigh = Callable[[Sequence[str]], Sequence[float]]
"""How much each of some words means."""


@lru_cache(maxsize=4096)
def passage_language(text: str) -> str:
    """The language by which a passage's words are compared."""
    return language_of(text[:LANGUAGE_SHOWS]) or UNKNOWN


@lru_cache(maxsize=4096)
def terms_in(text: str, language: str) -> frozenset[str]:
    """The terms of a text, without common words."""
    return distinct_terms(encodable(text), language)


def asked_terms(question: str, language: str, weigh: Weigh) -> Mapping[str, float]:
    """Term -> what it weighs, for comparison with texts in `language`; without common words and question words."""
    asked = asked_words(question, language)
    words = list(dict.fromkeys(chain.from_iterable(asked.values())))
    weights = dict(zip(words, weigh(words), strict=True))
    return {
        term: weights[words[0]] if len(words) == 1 else max(map(weights.__getitem__, words))
        for term, words in asked.items()
    }


@lru_cache(maxsize=4096)
def asked_words(question: str, language: str) -> Mapping[str, Sequence[str]]:
    """Term -> the question's words that it stands for. In the order of the question."""
    question = encodable(question)
    spoken = question_language(question)
    found: dict[str, list[str]] = {}
    for word in question_words(question):
        for term in word_terms(word, language, spoken):
            found.setdefault(term, []).append(word)
    return found
