"""ExtractiveGenerator: answers with sentences quoted from the passages, with citations. Deterministic, without a model.

A sentence is scored by the question's words in it, weighted by inverse document frequency over all sentences (Sparck
Jones, 1972), by those in its headings, by the rank of its passage, and to a lesser degree by the score of its
neighbours. Similar sentences are quoted only once (maximal marginal relevance: Carbonell and Goldstein, 1998).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from ha_rag.components.generators.sentences import sentences_of
from ha_rag.components.words import significant_stems
from ha_rag.errors import ConfigurationError
from ha_rag.messages import Generation, Passage

NOTHING_FOUND = "I found no passage about this question."
NO_PROSE = "I found passages about this question, but they contain no sentence to quote; see the sources."
CLOSEST = "The passages do not answer this directly. The closest one says: "
HEADING_SHARE = 0.5
NEIGHBOUR_SHARE = 0.25
SIMILAR_SHARE = 0.6
ENOUGH_SHARE = 0.4
DEPENDENT_STARTS = frozenset(
    {"it", "its", "this", "that", "these", "those", "they", "their", "he", "she", "but", "and", "so", "then", "both"}
)
IDEAL_STEMS = 10
_ENDS = (".", "!", "?", '."', ".”", ".)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of a passage. `n`: the passage's number, from 1. `at`: its position in the passage, from 0."""

    n: int
    at: int
    text: str
    stems: frozenset[str]
    heading: frozenset[str]


class ExtractiveGenerator:
    """Always answers if there are passages. Safe across tasks.

    `max_sentences`: the most sentences of an answer (default 3). `max_chars`: its longest text (default 900); the best
    sentence is never cut. Raises ConfigurationError.
    """

    in_process = True

    def __init__(self, max_sentences: int = 3, max_chars: int = 900) -> None:
        if max_sentences < 1 or max_chars < 1:
            raise ConfigurationError("max_sentences, max_chars: must be at least 1")
        self._max_sentences = max_sentences
        self._max_chars = max_chars

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        return self.answer(question, passages)

    def answer(self, question: str, passages: Sequence[Passage]) -> Generation:
        """The answer; `generate` without a coroutine."""
        if not passages:
            return Generation(NOTHING_FOUND)
        candidates = [s for n, passage in enumerate(passages, start=1) for s in _sentences(n, passage)]
        if not candidates:
            return Generation(NO_PROSE)
        chosen = self._chosen(candidates, _scores(significant_stems(question), candidates))
        if not chosen:
            return Generation(f"{CLOSEST}{_cited(candidates[0])}", (candidates[0].n,))
        chosen.sort(key=lambda s: (s.n, s.at))
        return Generation(" ".join(map(_cited, chosen)), tuple(dict.fromkeys(s.n for s in chosen)))

    def _chosen(self, candidates: list[Sentence], scores: list[float]) -> list[Sentence]:
        """The best dissimilar sentences that fit; none if all scores are 0."""
        chosen: list[Sentence] = []
        left, enough = self._max_chars, ENOUGH_SHARE * max(scores)
        for i in sorted(range(len(candidates)), key=lambda i: (-scores[i], i)):
            if len(chosen) == self._max_sentences or scores[i] <= 0 or scores[i] < enough:
                break
            sentence = candidates[i]
            if (chosen and len(sentence.text) > left) or any(_are_similar(sentence, other) for other in chosen):
                continue
            chosen.append(sentence)
            left -= len(sentence.text)
        return chosen


def _sentences(n: int, passage: Passage) -> list[Sentence]:
    heading = _stems_of(f"{passage.title} {passage.heading}")
    return [Sentence(n, at, text, _stems_of(text), heading) for at, text in enumerate(sentences_of(passage.text))]


@lru_cache(maxsize=16_384)
def _stems_of(text: str) -> frozenset[str]:
    return significant_stems(text)


def _scores(asked: frozenset[str], sentences: list[Sentence]) -> list[float]:
    found_in = Counter(stem for sentence in sentences for stem in asked & sentence.stems)
    rarity = {stem: math.log(1 + len(sentences) / (0.5 + found_in[stem])) for stem in asked}
    own = [_own_score(sentence, asked, rarity) for sentence in sentences]
    return [score + NEIGHBOUR_SHARE * _best_neighbour(i, sentences, own) for i, score in enumerate(own)]


def _own_score(sentence: Sentence, asked: frozenset[str], rarity: dict[str, float]) -> float:
    inside = asked & sentence.stems
    above = (asked & sentence.heading) - inside
    matched = sum(rarity[stem] for stem in inside) + HEADING_SHARE * sum(rarity[stem] for stem in above)
    covered = 0.5 + 0.5 * len(inside) / max(1, len(asked))
    length = 1.0 / (1.0 + max(0, len(sentence.stems) - IDEAL_STEMS) / (3 * IDEAL_STEMS))
    place = (1.0 + 0.3 / sentence.n) * (1.0 + 0.1 / (1 + sentence.at))
    return matched * covered * length * place * _independence(sentence)


def _independence(sentence: Sentence) -> float:
    """1 for a sentence that is clear by itself; less if it refers to the previous one or was cut by the chunking."""
    first_word = sentence.text.split(" ", 1)[0].lower().rstrip(",")
    refers_back = 0.7 if sentence.at and first_word in DEPENDENT_STARTS else 1.0
    whole_end = 1.0 if sentence.text.endswith(_ENDS) else 0.6
    whole_start = 1.0 if sentence.at or not sentence.text[0].islower() else 0.8
    return refers_back * whole_end * whole_start


def _best_neighbour(i: int, sentences: list[Sentence], scores: list[float]) -> float:
    neighbours = [k for k in (i - 1, i + 1) if 0 <= k < len(sentences) and sentences[k].n == sentences[i].n]
    return max((scores[k] for k in neighbours), default=0.0)


def _are_similar(one: Sentence, other: Sentence) -> bool:
    either = len(one.stems | other.stems)
    return either == 0 or len(one.stems & other.stems) / either >= SIMILAR_SHARE


def _cited(sentence: Sentence) -> str:
    """The sentence with its citation before the full stop, as in "A probe closes it [2]."."""
    body = sentence.text.rstrip(" .")
    if sentence.text.endswith(("!", "?", '"', "”", ")")):
        return f"{sentence.text} [{sentence.n}]"
    return f"{body} [{sentence.n}]."
