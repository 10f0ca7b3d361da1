"""OnnxReranker: a cross-encoder inside this process, from the extra `models` or from files of your own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ha_rag.components.onnx.model_files import packaged_model
from ha_rag.components.onnx.transformer import transformer
from ha_rag.errors import ConfigurationError, MalformedReplyError
from ha_rag.messages import Passage
from ha_rag.threads import computing

WHAT = 'kind = "local"'
PACKAGED = "reranker_en"
MAX_TOKENS = 256
CANDIDATES = 10


class OnnxReranker:
    """A reranker that runs a BERT-like cross-encoder on the processor. Safe across tasks.

    It reads the question together with each passage. `path`: a folder with `model.onnx` and `tokenizer.json`; None:
    ms-marco-MiniLM-L-12-v2 (int8, English), which comes with the extra `models`. `candidates`: how many passages it is
    given, 2 to 50; each of them is an inference of 20 to 60 ms on one core. `max_tokens`: where the longer of the two
    texts is cut, so that both fit, 8 to 8,192.

    The score is the model's own, a logit; of two, the second less the first. The constructor reads and tries the model;
    it raises ConfigurationError, the method raises ComponentError.
    Source: https://huggingface.co/cross-encoder/ms-marco-MiniLM-L12-v2.
    """

    in_process = True

    def __init__(self, path: Path | None = None, *, candidates: int = CANDIDATES, max_tokens: int = MAX_TOKENS) -> None:
        if not 2 <= candidates <= 50:
            raise ConfigurationError(f"candidates = {candidates!r}: must be between 2 and 50")
        if not 8 <= max_tokens <= 8192:
            raise ConfigurationError(f"max_tokens = {max_tokens!r}: must be between 8 and 8192")
        folder = packaged_model(WHAT, PACKAGED) if path is None else path
        self.candidates = candidates
        self._transformer = transformer(folder, max_tokens, WHAT)
        if self._transformer.shape not in {(1,), (2,)}:
            raise ConfigurationError(
                f"path: the model in {folder} returns an array of shape {self._transformer.shape} for a text; a "
                "cross-encoder returns one score, or two"
            )

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        return await computing.run_each(partial(self._score, question), passages)

    def _score(self, question: str, passage: Passage) -> float:
        logits = self._transformer.output(question, passage.text).tolist()
        score = float(logits[0] if len(logits) == 1 else logits[1] - logits[0])
        if not math.isfinite(score):
            raise MalformedReplyError("the model returned a score that is not finite")
        return score
