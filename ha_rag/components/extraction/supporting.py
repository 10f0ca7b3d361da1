"""The sentence of a cited passage that supports an answer, for generators that cite but do not say what they quote."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ha_rag.components.extraction.asked import passage_language, terms_in
from ha_rag.components.extraction.units import Unit, units_of
from ha_rag.language.sentences import sentence_spans
from ha_rag.messages import Passage, Quote

LEAST_SHARE = 0.3
"""Of the terms of a unit or of a statement, that they must have in common."""
MOST_STATEMENTS = 40
"""How many sentences of an answer are looked at; it limits the cost."""
_CITATION = re.compile(r"\[(\d{1,3}(?:\s*,\s*\d{1,3})*)\]")


def supporting_quotes(text: str, passages: Sequence[Passage], cited: Sequence[int]) -> tuple[Quote, ...]:
    """For each cited passage the unit that has most in common with a sentence that cites it, if it has enough."""
    statements = _statements(text)
    units = ((n, _best(statements.get(n, []), passages[n - 1])) for n in cited if 1 <= n <= len(passages))
    return tuple(Quote(n, unit.start, unit.end) for n, unit in units if unit is not None)


def _statements(text: str) -> dict[int, list[str]]:
    """Passage number -> the sentences that cite it."""
    found: dict[int, list[str]] = {}
    line = text.replace("\n", " ")
    for start, end in sentence_spans(line)[:MOST_STATEMENTS]:
        sentence = line[start:end]
        for group in _CITATION.findall(sentence):
            for number in group.split(","):
                found.setdefault(int(number), []).append(_CITATION.sub("", sentence))
    return found


def _best(statements: Sequence[str], passage: Passage) -> Unit | None:
    language = passage_language(passage.text)
    said = [terms_in(statement, language) for statement in statements]
    best, best_share = None, LEAST_SHARE
    for unit in units_of(passage.text, passage.heading):
        terms = terms_in(f"{unit.lead} {unit.text}", language)
        for statement in said:
            share = len(terms & statement) / max(1, min(len(terms), len(statement)))
            if share > best_share:
                best, best_share = unit, share
    return best
