"""LocalEmbedder: 256-dimensional vectors from the weights in wordllama's wheel; needs no network and no GPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ha_rag.components.embedders.static_model import DIMENSION, installed_model
from ha_rag.components.encodable import encodable
from ha_rag.components.vectors import unit_or_zero, valid_weight
from ha_rag.messages import Embedding, Space, Vector
from ha_rag.threads import computing

MODEL = "wordllama-l2-supercat"
REVISION = "1"
"""Incremented when wordllama's weights change. A new version of the package does not change the vectors by itself."""
BATCH = 64
WEIGHT = 0.25
"""In hybrid search beside words: see docs/answers.md."""


class LocalEmbedder:
    """An embedder inside this process: averages the vectors of a text's tokens. Safe across tasks.

    `weight`: see Embedding (default 0.25). It is multiplied by the share of the question's letters in words that the
    model's vocabulary knows: 0.75 on average for plain questions in English, 0.4 in German, 0 in Chinese.

    The first one in a process loads the model, which takes about 0.4 s and 35 MB; others share it. Embedding a question
    takes about 0.03 ms. Raises ConfigurationError if wordllama or its weights are not installed.
    Source: WordLlama, https://github.com/dleemiller/WordLlama (model l2_supercat, 256 dimensions).
    """

    in_process = True

    def __init__(self, *, weight: float = WEIGHT) -> None:
        self._weight = valid_weight(weight)
        model = installed_model()
        self.space = Space(MODEL, REVISION, DIMENSION)
        self.token_vectors = model.vectors
        self._model = model

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        tokens, known_share = self._model.question(text)
        return Embedding(self._pooled(tokens), self.space, self._weight * known_share)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        embeddings: list[Embedding] = []
        for start in range(0, len(texts), BATCH):
            embeddings += await computing.run(self._embed_batch, texts[start : start + BATCH])
        return embeddings

    def _embed_batch(self, texts: Sequence[str]) -> list[Embedding]:
        tokens = (self._model.words.tokens(encodable(text)) for text in texts)
        return [Embedding(self._pooled(its), self.space, self._weight) for its in tokens]

    def token_ids(self, text: str) -> list[int]:
        """The tokens of a text, as rows of `token_vectors`."""
        return self._model.tokens(text)

    def word_token_ids(self, words: Sequence[str]) -> Sequence[Sequence[int]]:
        """The tokens of each of these words, which have no spaces."""
        return self._model.tokens_of_words(words)

    def question_token_ids(self, question: str) -> Sequence[int]:
        """The same of a question, which is not cut again if it has just been embedded."""
        return self._model.question(question).tokens

    def known_share(self, text: str) -> float:
        """Of the letters of a question, the share in words that the vocabulary has as a whole, from 0 to 1."""
        return self._model.question(text).known_share

    def _pooled(self, tokens: Sequence[int]) -> Vector:
        if not tokens:
            return np.zeros(DIMENSION, dtype=np.float32)
        return unit_or_zero(self.token_vectors[tokens].sum(axis=0))
