"""HashingEmbedder: hashes words and character n-grams into a vector; matches spellings, not meanings.

The hashing trick (Weinberger et al., 2009) with signed buckets, over whole words and their character n-grams, so that
"recover" and "recovery" are similar. It needs only numpy and no weights, starts at once, and gives the same vectors in
every process and version. On Cranfield its retrieval quality is about half of the local model's.
"""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ha_rag.components.encodable import encodable
from ha_rag.components.vectors import unit_or_zero, valid_weight
from ha_rag.components.words import STOP_WORDS, words_of
from ha_rag.errors import ConfigurationError
from ha_rag.messages import Embedding, Space, Vector
from ha_rag.threads import computing

MODEL = "hashing"
REVISION = "1"
GRAM_SIZES = (4,)
GRAM_WEIGHT = 1.5
"""The total weight of a word's n-grams; the word itself has weight 1."""
LONGEST_WORD = 40
BATCH = 64
WEIGHT = 0.05
"""In hybrid search beside words: see docs/answers.md."""

Buckets = NDArray[np.intp]
Weights = NDArray[np.float64]


class HashingEmbedder:
    """An embedder without a model. Safe across tasks.

    `dimension`: 8 to 65,536, default 256. `weight`: see Embedding (default 0.05).
    """

    in_process = True

    def __init__(self, dimension: int = 256, *, weight: float = WEIGHT) -> None:
        if not 8 <= dimension <= 65_536:
            raise ConfigurationError(f"dimension = {dimension!r}: must be between 8 and 65536")
        self.space = Space(MODEL, REVISION, dimension)
        self._weight = valid_weight(weight)

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        return Embedding(hashed(text, self.dimension), self.space, self._weight)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        embeddings: list[Embedding] = []
        for start in range(0, len(texts), BATCH):
            embeddings += await computing.run(self._embed_batch, texts[start : start + BATCH])
        return embeddings

    def _embed_batch(self, texts: Sequence[str]) -> list[Embedding]:
        return [Embedding(hashed(text, self.dimension), self.space) for text in texts]


def hashed(text: str, dimension: int) -> Vector:
    """The unit vector of `text`, or all zeros if it has no words."""
    counts = Counter(words_of(encodable(text)))
    significant = {word: n for word, n in counts.items() if word not in STOP_WORDS} or counts
    if not significant:
        return np.zeros(dimension, dtype=np.float32)
    features = [_features(word[:LONGEST_WORD], dimension) for word in significant]
    damped = np.repeat([1.0 + math.log(n) for n in significant.values()], [len(buckets) for buckets, _ in features])
    buckets = np.concatenate([buckets for buckets, _ in features])
    weights = np.concatenate([weights for _, weights in features]) * damped
    return unit_or_zero(np.bincount(buckets, weights=weights, minlength=dimension))


@lru_cache(maxsize=32_768)
def _features(word: str, dimension: int) -> tuple[Buckets, Weights]:
    """A word's buckets and its signed weight in each. Cached, because a few words make up most of any text."""
    padded = f"<{word}>"
    grams = [padded[i : i + n] for n in GRAM_SIZES for i in range(len(padded) - n + 1)]
    hashes = np.array([zlib.crc32(feature.encode()) for feature in (word, *grams)], dtype=np.uint64)
    weights = np.full(len(hashes), GRAM_WEIGHT / math.sqrt(max(1, len(grams))))
    weights[0] = 1.0
    signs = np.where(hashes >> np.uint64(31), 1.0, -1.0)
    return (hashes % np.uint64(dimension)).astype(np.intp), weights * signs
