"""Compounds: words that are written together of others, as German does, found by their parts and by their whole.

Without a dictionary: the terms of the index are the dictionary. A term finds the compounds that begin or end with it; a
compound that does not occur itself finds its two parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import tantivy

from ha_rag.index.words_form import Term
from ha_rag.language.terms import terms_of

LANGUAGES = frozenset({"da", "de", "fi", "nl", "no", "sv"})
"""Those that write compounds as one word."""
SHORTEST_COMPOUND = 9
SHORTEST_PART = 4
MOST_COMPOUNDS = 8
"""How many compounds of a term are searched for, by their first letters and by their last ones each."""
COMPOUND_BOOST = 0.3
PART_BOOST = 0.5
_LINKS = ("", "s", "es", "n", "en", "e", "er")
"""What German puts between two parts."""


def endings(terms: Iterable[str]) -> list[str]:
    """The terms that can be compounds, backwards, so that they are found by their last letters."""
    return [term[::-1] for term in terms if len(term) >= SHORTEST_COMPOUND]


def related(term: str, language: str, searcher: tantivy.Searcher) -> Iterator[Term]:
    """The compounds with `term` that occur in the index, or the parts of one that does not occur."""
    if language not in LANGUAGES or len(term) < SHORTEST_PART:
        return
    for compound, _ in searcher.terms_with_prefix("words", term, limit=MOST_COMPOUNDS + 1):
        if len(compound) >= max(SHORTEST_COMPOUND, len(term) + SHORTEST_PART):
            yield Term("words", compound, COMPOUND_BOOST)
    for backwards, _ in searcher.terms_with_prefix("endings", term[::-1], limit=MOST_COMPOUNDS + 1):
        if len(backwards) >= len(term) + SHORTEST_PART:
            yield Term("words", backwards[::-1], COMPOUND_BOOST)
    if len(term) >= SHORTEST_COMPOUND and not searcher.doc_freq("words", term):
        for part in _parts(term, language, searcher):
            yield Term("words", part, PART_BOOST)


def _parts(compound: str, language: str, searcher: tantivy.Searcher) -> tuple[str, ...]:
    """Two terms of the index that `compound` is made of; the longest last one that there is."""
    for start in range(SHORTEST_PART, len(compound) - SHORTEST_PART + 1):
        last = compound[start:]
        if searcher.doc_freq("words", last):
            for link in _LINKS:
                first = terms_of(compound[:start].removesuffix(link), language) if link else [compound[:start]]
                if first and len(first[0]) >= SHORTEST_PART and searcher.doc_freq("words", first[0]):
                    return first[0], last
    return ()
