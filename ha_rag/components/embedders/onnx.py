"""OnnxEmbedder: a transformer model inside this process, from the extra `models` or from files of your own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ha_rag.components.onnx.model_files import packaged_model
from ha_rag.components.onnx.transformer import transformer
from ha_rag.components.vectors import unit, valid_weight
from ha_rag.errors import ConfigurationError, MalformedReplyError
from ha_rag.messages import EVEN_WEIGHT, Embedding, Space, Vector
from ha_rag.threads import computing

WHAT = 'kind = "onnx"'
PACKAGED = "bge_small_en"
PACKAGED_MODEL = "bge-small-en-v1.5"
MAX_TOKENS = 512
REVISION_DIGITS = 12

Pooling = Literal["cls", "mean"]


class OnnxEmbedder:
    """An embedder that runs a BERT-like ONNX model on the processor. Safe across tasks.

    `path`: a folder with `model.onnx` and `tokenizer.json`; None: bge-small-en-v1.5 (int8, 384 dimensions, English),
    which comes with the extra `models`. `model`: its name (default: the folder's). `pooling`: the vector of the first
    token ("cls"), or the mean of all ("mean"); models that pool themselves are used as they are. `query_prefix`,
    `passage_prefix`: what a model expects before each question and before each passage; nothing by default, since the
    packaged model finds no more with the one it was trained with (decision 35). `max_tokens`: longer texts are cut
    there, 8 to 8,192. `weight`: see Embedding (default 0.5); a question weighs less in a script that the model's
    vocabulary does not know.

    The revision of its space is a hash of both files and of the settings that change the vectors of passages, so that
    vectors of other files are never compared with these. Passages are embedded one by one, as many at a time as the
    process has cores: in a batch, a quantised model's vector of a text depends on the other texts.

    The constructor reads, hashes and tries the model: about 0.5 s and 140 MB for the packaged one. It raises
    ConfigurationError; the methods raise ComponentError.
    Source: https://huggingface.co/BAAI/bge-small-en-v1.5 (C-Pack, Xiao et al., 2023).
    """

    in_process = True

    def __init__(
        self,
        path: Path | None = None,
        *,
        model: str | None = None,
        pooling: Pooling = "cls",
        query_prefix: str = "",
        passage_prefix: str = "",
        max_tokens: int = MAX_TOKENS,
        weight: float = EVEN_WEIGHT,
    ) -> None:
        if not 8 <= max_tokens <= 8192:
            raise ConfigurationError(f"max_tokens = {max_tokens!r}: must be between 8 and 8192")
        if pooling not in {"cls", "mean"}:
            raise ConfigurationError(f'pooling = {pooling!r}: must be "cls" or "mean"')
        folder = packaged_model(WHAT, PACKAGED) if path is None else path
        self._weight = valid_weight(weight)
        self._transformer = transformer(folder, max_tokens, WHAT)
        self._pooling = pooling
        self._query_prefix = query_prefix
        self._passage_prefix = passage_prefix
        name = model or (PACKAGED_MODEL if path is None else folder.resolve().name)
        self.space = Space(name, self._revision(), self._transformer.shape[-1])

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        return await computing.run(self._of_question, text)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        return await computing.run_each(partial(self._embedding, self._passage_prefix), texts)

    def _revision(self) -> str:
        settings = f"{self._pooling}\n{self._transformer.max_tokens}\n{self._passage_prefix}"
        whole = f"{self._transformer.digest}\n{settings}"
        return hashlib.sha256(whole.encode()).hexdigest()[:REVISION_DIGITS]

    def _of_question(self, text: str) -> Embedding:
        embedding = self._embedding(self._query_prefix, text)
        return replace(embedding, weight=self._weight * self._transformer.known_share(text))

    def _embedding(self, prefix: str, text: str) -> Embedding:
        if not text.strip():
            return Embedding(np.zeros(self.dimension, dtype=np.float32), self.space, self._weight)
        vector = unit(self._pooled(self._transformer.output(prefix + text)))
        if vector is None:
            raise MalformedReplyError("the model returned a vector that is all zero or not finite")
        return Embedding(vector, self.space, self._weight)

    def _pooled(self, output: NDArray[np.float32]) -> Vector:
        if output.ndim == 1:
            return output
        pooled: Vector = output[0] if self._pooling == "cls" else output.mean(axis=0)
        return pooled
