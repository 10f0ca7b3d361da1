"""How a question searches an index in form 2: by its terms in each language of the passages, and by compounds."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache, partial
from itertools import chain, repeat

import tantivy

from ha_rag.index import compounds
from ha_rag.index.words_form import MAX_TERMS, Term
from ha_rag.language.detection import question_language
from ha_rag.language.terms import STEMMERS, question_terms
from ha_rag.language.unspaced import ideographs, lone_letters

TITLE_BOOST = 0.6
IDEOGRAPH_BOOST = 0.3
"""Of a Chinese character by itself, beside its pairs: words of other characters share one with it."""
COMMON_SHARE, COMMON_AT_LEAST = 0.3, 10
"""A Chinese character in more of the passages than this share says little and costs time, so it is not searched for."""
UNSTEMMED = "und"
"""The language of texts that no stemmer knows ("undetermined" in ISO 639-2)."""
KEPT_TERMS = 16_384
"""What the index has of a term takes longer to look up than to search for, and some 0.4 KB to keep."""


class MultilingualQuestions:
    """Cuts questions for one state of an index, as its passages of each language were cut. Safe across threads."""

    def __init__(self, searcher: tantivy.Searcher) -> None:
        codes = [code for code in (*STEMMERS, UNSTEMMED) if searcher.doc_freq("language", code)]
        self._languages = ["" if code == UNSTEMMED else code for code in codes]
        self._most = max(COMMON_AT_LEAST, int(COMMON_SHARE * searcher.num_docs))
        self._searched = lru_cache(maxsize=KEPT_TERMS)(partial(_searched, searcher))
        self._having = lru_cache(maxsize=KEPT_TERMS)(partial(searcher.doc_freq, "letters"))

    def terms(self, question: str) -> list[Term]:
        """What a question searches for, without common words."""
        spoken = question_language(question)
        of_languages = map(self._words, self._languages, repeat(question), repeat(spoken))
        return list(dict.fromkeys(chain(chain.from_iterable(of_languages), self._letters(question))))

    def _words(self, language: str, question: str, spoken: str) -> Iterator[Term]:
        terms = question_terms(question, language, spoken)[:MAX_TERMS]
        return chain.from_iterable(map(self._searched, terms, repeat(language)))

    def _letters(self, question: str) -> Iterator[Term]:
        alone = lone_letters(question)[:MAX_TERMS]
        for letter in alone:
            yield Term("letters", letter)
        for letter in ideographs(question)[:MAX_TERMS]:
            if letter not in alone and 0 < self._having(letter) <= self._most:
                yield Term("letters", letter, IDEOGRAPH_BOOST)


def _searched(searcher: tantivy.Searcher, term: str, language: str) -> tuple[Term, ...]:
    """What one term searches for: itself, in titles if it is in any, and compounds."""
    title = [Term("title", term, TITLE_BOOST)] if searcher.doc_freq("title", term) else []
    return (Term("words", term), *title, *compounds.related(term, language, searcher))
