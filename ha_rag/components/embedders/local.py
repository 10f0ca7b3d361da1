"""LocalEmbedder: 256-dimensional vectors from the weights in wordllama's wheel; needs no network and no GPU."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ha_rag.components.encodable import encodable
from ha_rag.components.vectors import unit_or_zero
from ha_rag.errors import ConfigurationError
from ha_rag.extras import MissingExtraError, require
from ha_rag.messages import Embedding, Space, Vector
from ha_rag.threads import computing

MODEL = "wordllama-l2-supercat"
REVISION = "1"
"""Incremented when wordllama's weights change. A new version of the package does not change the vectors by itself."""
DIMENSION = 256
BATCH = 64


class LocalEmbedder:
    """An embedder inside this process: averages the vectors of a text's tokens. Safe across tasks.

    The constructor loads the model, which takes about 0.3 s and 35 MB. Embedding a question takes about 0.03 ms.
    Raises ConfigurationError if wordllama or its weights are not installed.
    Source: WordLlama, https://github.com/dleemiller/WordLlama (model l2_supercat, 256 dimensions).
    """

    in_process = True

    def __init__(self) -> None:
        model = _loaded_model()
        self.space = Space(MODEL, REVISION, DIMENSION)
        self._tokenizer = model.tokenizer
        self._tokenizer.no_padding()
        self._weights = model.embedding

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        return self._embedding(self._tokenizer.encode(encodable(text), add_special_tokens=False).ids)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        embeddings: list[Embedding] = []
        for start in range(0, len(texts), BATCH):
            embeddings += await computing.run(self._embed_batch, texts[start : start + BATCH])
        return embeddings

    def _embed_batch(self, texts: Sequence[str]) -> list[Embedding]:
        encodings = self._tokenizer.encode_batch([encodable(text) for text in texts], add_special_tokens=False)
        return [self._embedding(encoding.ids) for encoding in encodings]

    def _embedding(self, tokens: list[int]) -> Embedding:
        return Embedding(self._pooled(tokens), self.space)

    def _pooled(self, tokens: list[int]) -> Vector:
        if not tokens:
            return np.zeros(DIMENSION, dtype=np.float32)
        return unit_or_zero(self._weights[tokens].sum(axis=0))


def _loaded_model() -> Any:
    try:
        require('kind = "local"', "local")
        with _root_logger_untouched():
            import wordllama

            folder = Path(wordllama.__file__).parent
            model = wordllama.WordLlama.load(cache_dir=folder, dim=DIMENSION, disable_download=True)
    except MissingExtraError as error:
        raise ConfigurationError(str(error)) from None
    except (ImportError, OSError) as error:
        raise ConfigurationError(f'kind = "local": wordllama and its weights must be installed ({error})') from error
    return model


@contextmanager
def _root_logger_untouched() -> Iterator[None]:
    """Undoes what importing wordllama does to the root logger, which only the program may configure."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
