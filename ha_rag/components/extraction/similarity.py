"""Similarity of a question to passages and to their units, by the token vectors of an embedder inside this process.

A unit is as similar as its tokens are: for each token of the question the most similar one of the unit counts (late
interaction: O. Khattab and M. Zaharia, ColBERT, SIGIR 2020), weighted by how few units have one. Vectors of whole
sentences, averages of a few tokens, were measured as worse.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ha_rag.components.extraction.parts import parts_of
from ha_rag.components.extraction.units import Unit
from ha_rag.messages import Passage

KEPT_PASSAGES = 2048
"""The tokens of each take some 5 KB."""
KEPT_WORDS = 32_768
LONGEST_KEPT_WORD = 24
"""Characters. Longer ones are hardly seen again."""
MOST_TOKENS = 128
"""Of a question; further ones cost time and hardly change the result."""
UNRELATED = 0.2
"""A similarity of two tokens that means nothing."""
SAME = 0.5
"""From this share on, a unit has a token of the question or one much like it."""
Matrix = NDArray[np.float32]
Numbers = NDArray[np.int64]


class VectorTable(Protocol):
    """A vector for each token of a vocabulary. A common token has a short one, a rare one a long one."""

    def __getitem__(self, tokens: list[int] | Numbers, /) -> Matrix:
        """The vectors of these tokens, one in each row."""
        ...

    def lengths(self) -> Matrix:
        """The length of each token's vector."""
        ...


class TokenEmbedder(Protocol):
    """An embedder with one vector for each token. Safe across threads.

    `token_vectors`: a row for each token of its vocabulary.
    """

    @property
    def token_vectors(self) -> VectorTable: ...

    def token_ids(self, text: str) -> list[int]:
        """The tokens of a text, as rows of `token_vectors`."""
        ...

    def known_share(self, text: str) -> float:
        """Of the letters of a text, the share in words that the vocabulary has as a whole, from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """The tokens of a passage: those of all units and of its title in a row, where each starts, and its unit vector."""

    ids: Numbers
    starts: Numbers
    whole: Matrix


@dataclass(frozen=True, slots=True)
class Compared:
    """How similar a question is. All from 0 to 1.

    `units`: to each unit of the passages, in order. `passages`: the cosine to each passage. `covered`: how similar the
    tokens of each passage are to those of the question, which count by the lengths of their vectors.
    """

    units: list[float]
    passages: list[float]
    covered: list[float]


class TokenSimilarity:
    """Compares questions with passages; keeps the tokens of recent passages. Safe across tasks and threads."""

    def __init__(self, embedder: TokenEmbedder) -> None:
        self._embedder = embedder
        self._vectors = embedder.token_vectors
        self._lengths: Matrix = np.maximum(self._vectors.lengths(), 1e-9)
        self._kept: OrderedDict[tuple[str, str, str], _Tokens] = OrderedDict()
        self._weights: dict[str, float] = {}
        self._words: dict[str, list[int]] = {}

    def weight(self, word: str) -> float:
        """How much a word means: the length of its vector, which is short for common words of any language."""
        weight = self._weights.get(word)
        if weight is None:
            if len(self._weights) >= 65_536:
                self._weights.clear()
            vector = self._vectors[self._embedder.token_ids(word)].sum(axis=0)
            weight = self._weights[word] = max(0.1, float(np.linalg.norm(vector)))
        return weight

    def known_share(self, question: str) -> float:
        """How much of a question the embedder knows, from 0 to 1: its similarities mean as much."""
        return self._embedder.known_share(question)

    def unknown_characters(self, passages: Sequence[Passage]) -> int:
        """How many characters of these passages are to be cut into tokens first."""
        return sum(len(passage.text) for passage in passages if _key(passage) not in self._kept)

    def compared(self, question: str, passages: Sequence[Passage]) -> Compared:
        """The question with each passage and each of its units."""
        ids = self._asked(question)
        read = [self._tokens(passage) for passage in passages]
        if not ids or not read:
            return Compared([0.0] * sum(len(each.starts) - 1 for each in read), [0.0] * len(read), [0.0] * len(read))
        best = self._best(ids, read)
        starts = np.cumsum([0, *(len(each.starts) for each in read[:-1])])
        titles = starts + np.array([len(each.starts) - 1 for each in read])
        units = np.delete(best, titles, axis=1)
        lengths = self._lengths[ids]
        rarity = np.log(1 + units.shape[1] / (0.5 + (units > SAME).sum(axis=1)))
        weights = np.sqrt(lengths) * rarity
        whole = _unit(self._vectors[ids].sum(axis=0))
        return Compared(
            (weights @ units / max(float(weights.sum()), 1e-9)).tolist(),
            [float(each.whole @ whole) for each in read],
            (lengths @ np.maximum.reduceat(best, starts, axis=1) / lengths.sum()).tolist(),
        )

    def _asked(self, question: str) -> list[int]:
        # The model knows few words in capitals.
        text = question.lower() if question.isupper() else question
        return self._ids(text)[:MOST_TOKENS]

    def _best(self, asked: list[int], read: Sequence[_Tokens]) -> Matrix:
        """For each token of the question, and each unit and title, how similar the most similar token is: 0 to 1."""
        ids = np.concatenate([each.ids for each in read])
        ends = np.cumsum([0, *(len(each.ids) for each in read[:-1])])
        starts = np.concatenate([each.starts + end for each, end in zip(read, ends, strict=True)])
        products = self._vectors[asked] @ self._vectors[ids].T / self._lengths[ids]
        cosines = np.maximum.reduceat(products, starts, axis=1) / self._lengths[asked, None]
        related: Matrix = np.asarray(np.maximum(cosines - UNRELATED, 0) / (1 - UNRELATED), np.float32)
        return related

    def _tokens(self, passage: Passage) -> _Tokens:
        key = _key(passage)
        tokens = self._kept.get(key)
        if tokens is None:
            tokens = self._kept[key] = self._read(passage)
            while len(self._kept) > KEPT_PASSAGES:
                self._kept.popitem(last=False)
        return tokens

    def _read(self, passage: Passage) -> _Tokens:
        texts = [_with_context(part.unit) * (not part.speaks_to_a_model) for part in parts_of(passage).parts]
        each = [self._ids(text) or [0] for text in (*texts, f"{passage.title}\n{passage.heading}")]
        starts = np.cumsum([0, *map(len, each[:-1])])
        tokens = np.array([token for ids in each for token in ids], dtype=np.int64)
        return _Tokens(tokens, starts, _unit(self._vectors[tokens].sum(axis=0)))

    def _ids(self, text: str) -> list[int]:
        """The tokens of a text, word by word: most words have been seen before, and tokens do not cross spaces."""
        words, found = self._words, []
        for word in text.split():
            ids = words.get(word)
            if ids is None:
                ids = self._embedder.token_ids(word)
                if len(word) <= LONGEST_KEPT_WORD:
                    if len(words) >= KEPT_WORDS:
                        words.clear()
                    words[word] = ids
            found += ids
        return found


def _key(passage: Passage) -> tuple[str, str, str]:
    """What a passage's tokens depend on: its score is another one for each question."""
    return (passage.title, passage.heading, passage.text)


def _with_context(unit: Unit) -> str:
    return "\n".join(filter(None, (unit.context, unit.lead, unit.text)))


def _unit(vector: Matrix) -> Matrix:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
