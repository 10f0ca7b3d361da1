"""How likely each unit is to answer a question: a log-linear model of what both have in common.

A unit's score is a weighted sum, and its probability the softmax of the scores (a conditional logit). The weights were
fitted by maximum likelihood to the tuning halves of XQuAD in four languages (docs/decisions/0045), except those of
steps and of what is not a plain sentence.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import chain

from ha_rag.components.extraction.asked import asked_words
from ha_rag.components.extraction.candidates import Candidate
from ha_rag.components.extraction.expected import Expected, expected_of
from ha_rag.components.extraction.parts import characters_of
from ha_rag.components.extraction.units import WHOLE, UnitKind

WORDS = 2.4
"""Of the words in common, relative to the best unit."""
COVERED = 2.4
"""Of the share of the question's words that the unit has."""
SIMILAR = 1.3
"""Of the similarity of tokens, relative to the best unit."""
SIMILAR_KNOWN = 1.6
"""As above, times the share of the question that the embedder knows."""
CHARACTERS = 1.4
"""Of the Chinese characters in common, relative to the best unit."""
PASSAGE = 1.4
"""Of the share of the question's words that the passage has."""
FIRST = 1.5
"""For units of the first passage."""
NUMBER = 1.3
DATE = 0.6
NAME = 0.9
WITHOUT_SIMILARITY = 1.15
"""What scores by words alone are multiplied by, to be as sure."""
STEPS = 2.0
"""For steps and commands, where the question asks how."""
ASKS = -4.0
"""For a sentence that asks instead of answering."""
INJECTED = -8.0
"""For instructions to a language model: anything else that has to do with the question is quoted before."""
CONTEXT_SHARE = 0.5
NEIGHBOUR_SHARE = 0.1
SIMILAR_NEIGHBOUR_SHARE = 0.5
DAMPING = 0.5
"""The exponent of the words' score: the second best sentence of two is often nearly as good."""
IDEAL_TERMS = 10
Weights = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _InCommon:
    """The question's terms in a unit and above it, and what they weigh; those above count in part."""

    weight: float
    inside: Set[str]
    above: Set[str]


def scores(
    question: str, candidates: Sequence[Candidate], similar: Sequence[float] | None, known: float = 0.0
) -> list[float]:
    """A score for each candidate: the logarithm of how likely it is to answer, up to a constant.

    Minus infinity for one that has nothing to do with the question. `similar`: how similar each candidate is, from 0 to
    1; None: by words alone. `known`: the share of the question that the embedder knows.
    """
    asked = {language: asked_words(question, language) for language in {each.language for each in candidates}}
    inside = [each.terms.intersection(asked[each.language]) for each in candidates]
    rarity = _rarity(asked, inside)
    common = [_in_common(each, own, rarity[each.language]) for each, own in zip(candidates, inside, strict=True)]
    whole = {language: sum(weights.values()) or 1.0 for language, weights in rarity.items()}
    covered = [one.weight / whole[each.language] for each, one in zip(candidates, common, strict=True)]
    words = _by_words(candidates, common, rarity)
    characters = _by_characters(question, candidates)
    of_passages = _of_passages(candidates, common, rarity, whole)
    total = [
        WORDS * word + COVERED * share + CHARACTERS * character + PASSAGE * of_passages[each.n] + FIRST * (each.n == 1)
        for each, word, share, character in zip(candidates, words, covered, characters, strict=True)
    ]
    related = [word > 0 or share > 0 for word, share in zip(words, covered, strict=True)]
    if similar is not None:
        related = [one or value > 0 for one, value in zip(related, similar, strict=True)]
        weight = SIMILAR + SIMILAR_KNOWN * known
        near = _relative(_with_neighbours(similar, candidates, SIMILAR_NEIGHBOUR_SHARE))
        total = [score + weight * value for score, value in zip(total, near, strict=True)]
    else:
        total = [WITHOUT_SIMILARITY * score for score in total]
    expected = expected_of(question)
    return [
        score + _of_kind(each, expected) if is_related else -math.inf
        for each, score, is_related in zip(candidates, total, related, strict=True)
    ]


def _of_kind(each: Candidate, expected: Expected) -> float:
    """What a unit gains by being what is asked for: a number, a date, a name, steps."""
    score = (
        NUMBER * expected.has_number(each.unit.text)
        + DATE * expected.has_date(each.unit.text)
        + NAME * expected.has_name(each.unit.text)
    )
    if expected.how and each.unit.kind in (UnitKind.STEPS, UnitKind.CODE):
        score += STEPS
    if each.unit.kind is UnitKind.SENTENCE and each.unit.text.endswith(("?", "\uff1f", "؟")):
        score += ASKS
    return score + INJECTED * each.speaks_to_a_model


def _rarity(asked: Mapping[str, Iterable[str]], inside: Sequence[Set[str]]) -> dict[str, Weights]:
    """Language -> the question's terms with their inverse document frequency over the units (Sparck Jones, 1972).

    `asked`: language -> the question's terms; `inside`: those in each unit.
    """
    found_in = Counter(chain.from_iterable(inside))
    weight = [math.log(1 + len(inside) / (0.5 + units)) for units in range(len(inside) + 1)]
    return {language: {term: weight[found_in.get(term, 0)] for term in terms} for language, terms in asked.items()}


def _in_common(each: Candidate, inside: Set[str], rarity: Weights) -> _InCommon:
    above = (rarity.keys() & each.above) - inside
    weight = sum(map(rarity.__getitem__, inside))
    if above:
        weight += _above_share(each, rarity) * sum(map(rarity.__getitem__, above))
    return _InCommon(weight, inside, above)


def _above_share(each: Candidate, rarity: Weights) -> float:
    """All if the unit is about what stands above it; of an answer, as far as its question is the one that is asked."""
    if each.answers:
        return max(CONTEXT_SHARE, len(rarity.keys() & each.answers) / len(each.answers))
    return 1.0 if each.unit.kind in WHOLE else CONTEXT_SHARE


def _of_passages(
    candidates: Sequence[Candidate],
    common: Sequence[_InCommon],
    rarity: Mapping[str, Weights],
    whole: Mapping[str, float],
) -> dict[int, float]:
    """Passage number -> the share of the question's terms in it."""
    present: dict[int, set[str]] = {}
    languages = {each.n: each.language for each in candidates}
    for each, one in zip(candidates, common, strict=True):
        present.setdefault(each.n, set()).update(one.inside, one.above)
    shares = {}
    for n, terms in present.items():
        language = languages[n]
        shares[n] = sum(map(rarity[language].__getitem__, terms)) / whole[language]
    return shares


def _by_words(
    candidates: Sequence[Candidate], common: Sequence[_InCommon], rarity: Mapping[str, Weights]
) -> list[float]:
    """From 0 to 1, 1 for the best. Short units and those with more of the question's terms are better."""
    own = [_own_score(each, one, len(rarity[each.language])) for each, one in zip(candidates, common, strict=True)]
    smooth = _with_neighbours(own, candidates, NEIGHBOUR_SHARE)
    highest = max(smooth) or 1.0
    return [(score / highest) ** DAMPING for score in smooth]


def _own_score(each: Candidate, common: _InCommon, asked: int) -> float:
    covered = 0.5 + 0.5 * len(common.inside) / max(1, asked)
    length = 1.0 / (1.0 + max(0, len(each.terms) - IDEAL_TERMS) / (6 * IDEAL_TERMS))
    return common.weight * covered * length * (1.0 + 0.1 / (1 + each.at))


def _by_characters(question: str, candidates: Sequence[Candidate]) -> list[float]:
    """From 0 to 1: the Chinese characters in common, by their rarity, relative to the best."""
    asked = characters_of(question)
    if not asked:
        return [0.0] * len(candidates)
    common = [asked & each.characters for each in candidates]
    found_in = Counter(chain.from_iterable(common))
    weights = {character: math.log(1 + len(common) / (0.5 + units)) for character, units in found_in.items()}
    values = [sum(map(weights.__getitem__, one)) for one in common]
    highest = max(values) or 1.0
    return [value / highest for value in values]


def _with_neighbours(values: Sequence[float], candidates: Sequence[Candidate], share: float) -> list[float]:
    """Each value with a share of its better neighbour's in the same passage."""
    last = len(values) - 1
    smooth: list[float] = []
    for at, value in enumerate(values):
        n = candidates[at].n
        before = values[at - 1] if at > 0 and candidates[at - 1].n == n else 0.0
        after = values[at + 1] if at < last and candidates[at + 1].n == n else 0.0
        smooth.append(value + share * max(before, after))
    return smooth


def _relative(values: Sequence[float]) -> list[float]:
    """From 0 for the lowest to 1 for the highest."""
    lowest, highest = min(values), max(values)
    return [(value - lowest) / max(highest - lowest, 1e-6) for value in values]
