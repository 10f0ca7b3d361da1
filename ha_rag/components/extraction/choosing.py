"""Which units make up an answer: the best, and others as long as it is not likely enough that it has been said."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ha_rag.components.extraction.candidates import Candidate
from ha_rag.components.extraction.steps import whole_procedure
from ha_rag.components.extraction.units import WHOLE, UnitKind

SURE = 0.95
"""The probability that the answer is among what was chosen, from which on nothing is added."""
LEAST = 0.05
"""The probability of a further sentence of average length; a longer one needs more in proportion."""
SHARE = 0.08
"""Of the best one's probability, for a further sentence."""
SHARE_OF_LINES = 0.5
"""Of the best one's probability, for rows, items and definitions: the next row is about another thing."""
SIMILAR_SHARE = 0.6


def chosen(
    candidates: Sequence[Candidate],
    scores: Sequence[float],
    most: int,
    max_chars: int,
    *,
    how: bool = False,
    several: bool = False,
) -> list[Candidate]:
    """The best candidates, best first; none if all scores are minus infinity. What limits a chosen one stands with it.

    `scores`: logarithms of probabilities, up to a constant. `most`: how many at most. `max_chars`: their longest text;
    the best may be longer. `how`: whether it asks how to do something: a list is quoted whole then. `several`: whether
    it asks for all of something, or to compare: rows and items are quoted together then.
    """
    order = sorted(range(len(candidates)), key=lambda at: (-scores[at], at))
    if not order or scores[order[0]] == -math.inf:
        return []
    best = candidates[order[0]]
    if how and best.unit.group >= 0 and best.unit.kind is not UnitKind.ROW:
        return [best, *_of_its_list(best, candidates)]
    if several and best.unit.kind in (UnitKind.ROW, UnitKind.LINE):
        return [best, *_that_fit(_of_its_list(best, candidates), max_chars - len(best.unit.text))]
    if best.unit.kind is UnitKind.STEPS:
        found = whole_procedure(best, candidates)
        return found + [each for each in _cautions(candidates, found) if each not in found]
    found = [best]
    if best.unit.kind not in WHOLE:
        found = _with_others(candidates, _probabilities(scores), order, most, max_chars)
    return found + [each for each in _cautions(candidates, found) if each not in found]


def _with_others(
    candidates: Sequence[Candidate], likely: Sequence[float], order: Sequence[int], most: int, max_chars: int
) -> list[Candidate]:
    best = candidates[order[0]]
    found, left, sure = [best], max_chars - len(best.unit.text), likely[order[0]]
    average = sum(len(each.unit.text) for each in candidates) / len(candidates)
    for at in order[1:]:
        if len(found) == most or sure >= SURE or likely[at] < SHARE * likely[order[0]]:
            break
        each = candidates[at]
        least = _least(each, best, likely[order[0]], average)
        if likely[at] >= least and len(each.unit.text) <= left and not any(_are_similar(each, one) for one in found):
            found.append(each)
            left -= len(each.unit.text)
            sure += likely[at]
    return found


def _least(each: Candidate, best: Candidate, highest: float, average: float) -> float:
    """The probability from which on a candidate is quoted too."""
    if each.unit.kind in WHOLE:
        return math.inf
    if each.unit.kind is best.unit.kind is UnitKind.SENTENCE:
        return max(SHARE * highest, LEAST * len(each.unit.text) / average)
    return SHARE_OF_LINES * highest


def _probabilities(scores: Sequence[float]) -> list[float]:
    highest = max(scores)
    odds = [math.exp(score - highest) for score in scores]
    total = sum(odds)
    return [one / total for one in odds]


def _cautions(candidates: Sequence[Candidate], found: Sequence[Candidate]) -> list[Candidate]:
    """Sentences beside a chosen one that say when not to do it."""
    places = {(each.n, each.unit.block, each.at + step) for each in found for step in (-1, 1)}
    return [each for each in candidates if each.unit.is_caution and (each.n, each.unit.block, each.at) in places]


def _of_its_list(best: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The other items or rows of its list, table or block of lines."""
    return [each for each in candidates if _list_of(each) == _list_of(best) and each is not best]


def _list_of(each: Candidate) -> tuple[int, int, int]:
    return (each.n, each.unit.group, -1 if each.unit.group >= 0 else each.unit.block)


def _that_fit(found: Sequence[Candidate], left: int) -> list[Candidate]:
    kept = []
    for each in found:
        left -= len(each.unit.text)
        if left < 0:
            break
        kept.append(each)
    return kept


def _are_similar(one: Candidate, other: Candidate) -> bool:
    either = len(one.terms | other.terms)
    return either == 0 or len(one.terms & other.terms) / either >= SIMILAR_SHARE
