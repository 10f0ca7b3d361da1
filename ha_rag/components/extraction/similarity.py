"""Similarity of a question to passages and to their units, by the token vectors of an embedder inside this process.

A unit is as similar as its tokens are: for each token of the question the most similar one of the unit counts (late
interaction: O. Khattab and M. Zaharia, ColBERT, SIGIR 2020), weighted by how few units have one. Vectors of whole
sentences, averages of a few tokens, were measured as worse.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ha_rag.components.extraction.parts import parts_of
from ha_rag.components.extraction.units import Unit
from ha_rag.messages import Passage

KEPT_PASSAGES = 2048
"""The tokens of each take some 5 KB."""
KEPT_WORDS = 32_768
KEPT_WEIGHTS = 65_536
LEAST_WEIGHT = 0.1
"""Of a word."""
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

    def __getitem__(self, tokens: Sequence[int] | Numbers, /) -> Matrix:
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

    def token_ids(self, text: str) -> Sequence[int]:
        """The tokens of a text, as rows of `token_vectors`."""
        ...

    def word_token_ids(self, words: Sequence[str]) -> Sequence[Sequence[int]]:
        """The tokens of each of these words."""
        ...

    def question_token_ids(self, question: str) -> Sequence[int]:
        """The same of a question, which is not cut again if it has just been embedded."""
        ...

    def known_share(self, text: str) -> float:
        """Of the letters of a text, the share in words that the vocabulary has as a whole, from 0 to 1."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Tokens:
    """The tokens of a passage.

    `ids`: each distinct one once. `members`: those of each unit and then those of the title, as positions in `ids`;
    `starts`: where in `members` each of them starts. `whole`: the passage's vector, of unit length.
    """

    ids: Numbers
    members: Numbers
    starts: Numbers
    whole: Matrix


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """The distinct tokens of a question: their vectors, in columns, their lengths, and how often each occurs."""

    vectors: Matrix
    lengths: Matrix
    counts: Matrix


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
        self._words: dict[str, Sequence[int]] = {}

    def weights(self, words: Sequence[str]) -> list[float]:
        """How much words mean: the lengths of their vectors, which are short for common words of any language."""
        found = {word: self._weights.get(word) for word in words}
        unknown = [word for word, weight in found.items() if weight is None]
        if unknown:
            new = dict(zip(unknown, self._weighed(unknown), strict=True))
            if len(self._weights) + len(new) > KEPT_WEIGHTS:
                self._weights.clear()
            self._weights |= new
            found |= new
        return [found[word] or LEAST_WEIGHT for word in words]

    def _weighed(self, words: Sequence[str]) -> list[float]:
        cut = [ids or [0] for ids in self._embedder.word_token_ids(words)]
        starts = np.cumsum([0, *map(len, cut[:-1])])
        vectors = np.add.reduceat(self._vectors[[*chain.from_iterable(cut)]], starts, axis=0)
        lengths: list[float] = np.maximum(np.sqrt(np.vecdot(vectors, vectors)), LEAST_WEIGHT).tolist()
        return lengths

    def known_share(self, question: str) -> float:
        """How much of a question the embedder knows, from 0 to 1: its similarities mean as much."""
        return self._embedder.known_share(question)

    def unknown_characters(self, passages: Sequence[Passage]) -> int:
        """How many characters of these passages are to be cut into tokens first."""
        return sum(len(passage.text) for passage in passages if _key(passage) not in self._kept)

    def compared(self, question: str, passages: Sequence[Passage]) -> Compared:
        """The question with each passage and each of its units."""
        asked = self._asked(question)
        read = [self._tokens(passage) for passage in passages]
        if asked is None or not read:
            return Compared([0.0] * sum(len(each.starts) - 1 for each in read), [0.0] * len(read), [0.0] * len(read))
        best = [self._best(asked, each) for each in read]
        units = np.concatenate([each[:-1] for each in best])
        rarity = np.log(1 + len(units) / (0.5 + (units > SAME).sum(axis=0)))
        weights = asked.counts * np.sqrt(asked.lengths) * rarity
        whole = _unit(asked.vectors @ asked.counts)
        lengths = asked.counts * asked.lengths
        return Compared(
            (units @ weights / max(float(weights.sum()), 1e-9)).tolist(),
            [float(each.whole @ whole) for each in read],
            [float(each.max(axis=0) @ lengths) / float(lengths.sum()) for each in best],
        )

    def _asked(self, question: str) -> _Asked | None:
        """The first tokens of a question; None if it has none."""
        # The model knows few words in capitals.
        text = question.lower() if question.isupper() else question
        ids = self._embedder.question_token_ids(" ".join(text.split()))[:MOST_TOKENS]
        if not ids:
            return None
        counted = Counter(ids)
        distinct = np.array(list(counted))
        counts = np.array(list(counted.values()), dtype=np.float32)
        return _Asked(self._vectors[distinct].T, self._lengths.take(distinct), counts)

    def _best(self, asked: _Asked, read: _Tokens) -> Matrix:
        """For each unit of a passage, then its title, how similar the nearest token is to each of the question: 0 to 1.

        Each distinct token is compared once: a sentence in Thai has hundreds of tokens, and some dozens of them.
        """
        products = self._vectors[read.ids] @ asked.vectors
        products /= self._lengths.take(read.ids)[:, None]
        cosines = np.maximum.reduceat(products.take(read.members, axis=0), read.starts, axis=0)
        cosines /= asked.lengths
        related: Matrix = np.maximum((cosines - np.float32(UNRELATED)) / np.float32(1 - UNRELATED), np.float32(0))
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
        each = self._ids([*texts, f"{passage.title}\n{passage.heading}"])
        counted = Counter(chain.from_iterable(each))
        places = {token: place for place, token in enumerate(counted)}
        members = [list(dict.fromkeys(map(places.__getitem__, ids))) for ids in each]
        starts = np.cumsum([0, *map(len, members[:-1])])
        tokens = np.array(list(counted))
        counts = np.array(list(counted.values()), dtype=np.float32)
        whole = _unit(counts @ self._vectors[tokens])
        return _Tokens(tokens, np.array([*chain.from_iterable(members)]), starts, whole)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        """The tokens of texts, at least one of each. Most words have been seen before, and no token crosses a space."""
        words = [text.split() for text in texts]
        known = self._words
        distinct = dict.fromkeys(chain.from_iterable(words))
        found = {word: ids for word in distinct if (ids := known.get(word)) is not None}
        unknown = [word for word in distinct if word not in found]
        new = dict(zip(unknown, self._embedder.word_token_ids(unknown), strict=True))
        found |= new
        if len(known) + len(new) > KEPT_WORDS:
            known.clear()
        known.update((word, ids) for word, ids in new.items() if len(word) <= LONGEST_KEPT_WORD)
        return [[*chain.from_iterable(map(found.__getitem__, each))] or [0] for each in words]


def _key(passage: Passage) -> tuple[str, str, str]:
    """What a passage's tokens depend on: its score is another one for each question."""
    return (passage.title, passage.heading, passage.text)


def _with_context(unit: Unit) -> str:
    return "\n".join(filter(None, (unit.context, unit.lead, unit.text)))


def _unit(vector: Matrix) -> Matrix:
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector
