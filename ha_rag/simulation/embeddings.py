"""The simulated `/v1/embeddings`: deterministic vectors of real embedders, so that retrieval works."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Any

import numpy as np
import orjson

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.vectors import unit_or_zero
from ha_rag.errors import ConfigurationError
from ha_rag.interfaces import Embedder
from ha_rag.messages import Vector
from ha_rag.simulation.wire import BadRequestError, model_name

MODEL = "text-embedding-3-small"
DEFAULT_DIMENSION = 256
MOST_TEXTS = 2048
LARGEST_DIMENSION = 4096
REMEMBERED = 4096


class EmbeddingsEndpoint:
    """Answers embeddings requests. For one event loop.

    Vectors of up to 256 dimensions come from wordllama if it is installed (shorter ones are truncated, which its
    training allows), others from hashing. Up to 4,096 vectors are cached, so that benchmarks do not measure this.
    """

    def __init__(self) -> None:
        self._local: Embedder | None = _local_embedder()
        self._hashing: dict[int, HashingEmbedder] = {}
        self._kept: dict[tuple[str, int], Vector] = {}

    async def reply(self, body: dict[str, Any]) -> bytes:
        """The JSON response to a request. Raises BadRequestError."""
        model, texts, dimension = model_name(body), _texts(body.get("input")), _dimension(body.get("dimensions"))
        written = _as_base64 if _format(body.get("encoding_format")) == "base64" else _as_list
        data = [
            {"object": "embedding", "index": n, "embedding": written(await self.vector(text, dimension))}
            for n, text in enumerate(texts)
        ]
        tokens = sum(len(text) // 4 + 1 for text in texts)
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        reply = {"object": "list", "data": data, "model": model, "usage": usage}
        return orjson.dumps(reply, option=orjson.OPT_SERIALIZE_NUMPY)

    async def vector(self, text: str, dimension: int) -> Vector:
        """The text's vector."""
        vector = self._kept.get((text, dimension))
        if vector is None:
            if len(self._kept) >= REMEMBERED:
                self._kept.clear()
            vector = self._kept[text, dimension] = await self._made(text, dimension)
        return vector

    async def _made(self, text: str, dimension: int) -> Vector:
        if self._local is not None and dimension <= self._local.dimension:
            whole = (await self._local.embed(text)).vector
            vector = whole if dimension == whole.shape[0] else unit_or_zero(whole[:dimension])
        else:
            embedder = self._hashing.setdefault(dimension, HashingEmbedder(dimension))
            vector = (await embedder.embed(text)).vector
        return vector if vector.any() else _first_axis(dimension)


def _first_axis(dimension: int) -> Vector:
    """The vector of a text without words: a real service never returns all zeros."""
    vector = np.zeros(dimension, dtype=np.float32)
    vector[0] = 1.0
    return vector


@lru_cache(maxsize=1)
def _local_embedder() -> Embedder | None:
    try:
        return LocalEmbedder()
    except ConfigurationError:
        return None


def _texts(given: object) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
        raise BadRequestError("input must be a string or a non-empty list of strings", "input")
    if len(texts) > MOST_TEXTS:
        raise BadRequestError(f"input must have at most {MOST_TEXTS} texts", "input")
    if not all(texts):
        raise BadRequestError("input must not contain empty strings", "input")
    return texts


def _dimension(given: object) -> int:
    if given is None:
        return DEFAULT_DIMENSION
    if type(given) is not int or not 8 <= given <= LARGEST_DIMENSION:
        raise BadRequestError(f"dimensions must be a whole number from 8 to {LARGEST_DIMENSION}", "dimensions")
    return given


def _format(given: object) -> str:
    if given not in (None, "float", "base64"):
        raise BadRequestError('encoding_format must be "float" or "base64"', "encoding_format")
    return str(given)


def _as_base64(vector: Vector) -> str:
    return base64.b64encode(vector.astype("<f4", copy=False).tobytes()).decode("ascii")


def _as_list(vector: Vector) -> Vector:
    return vector
