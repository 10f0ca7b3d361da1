"""StaticModel: the vector of each token and the tokenizer, from the files in wordllama's wheel.

The package is only looked for, never imported: that would take half a second, 30 MB, and the program's root logger.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ha_rag.components.encodable import encodable
from ha_rag.components.known_letters import KnownLetters
from ha_rag.errors import ConfigurationError
from ha_rag.extras import MissingExtraError, require
from ha_rag.language.tokens import tokenizer_in, word_tokenizer_in

WHAT = 'kind = "local"'
WEIGHTS = Path("weights", "l2_supercat_256.safetensors")
TOKENIZER = Path("tokenizers", "l2_supercat_tokenizer_config.json")
TENSOR = "embedding.weight"
DIMENSION = 256
LONGEST_HEADER = 1 << 20
ROWS_AT_ONCE = 256
KEPT_QUESTIONS = 64
"""As many as a process answers at a time."""
LONGEST_KEPT = 1_000
"""Characters. The tokens of a longer question would take more memory than they save time."""
_TYPES = {"F16": "<f2", "F32": "<f4"}
Matrix = NDArray[np.float32]


class TokenVectors:
    """A vector for each token of a vocabulary, from a file that stays where it is: processes share its pages in memory.

    The file has half precision. A vector is widened to single precision, the same numbers, when its token is first
    used: that takes sixty times as long as using it, and a kilobyte of memory. Safe across threads.
    """

    def __init__(self, stored: NDArray[Any]) -> None:
        self._stored = stored
        self._widened = np.zeros(stored.shape, dtype=np.float32)  # takes no memory before it is written to
        self._known = np.zeros(len(stored), dtype=np.bool_)

    def __getitem__(self, tokens: Sequence[int] | NDArray[np.int64]) -> Matrix:
        """The vectors of these tokens, one in each row."""
        ids = np.asarray(tokens, dtype=np.int64)
        known = self._known.take(ids)
        if not known.all():
            new = ids[~known]
            self._widened[new] = self._stored[new]
            self._known[new] = True  # last: another thread may be here, and writes the same
        return self._widened.take(ids, axis=0)

    def lengths(self) -> Matrix:
        """The length of each token's vector."""
        starts = range(0, len(self._stored), ROWS_AT_ONCE)
        parts = [self._stored[start : start + ROWS_AT_ONCE].astype(np.float32) for start in starts]
        return np.concatenate([np.linalg.norm(part, axis=1) for part in parts])


class CutQuestion(NamedTuple):
    """`tokens`: of a question. `known_share`: of its letters, the share in words that the vocabulary has as a whole."""

    tokens: Sequence[int]
    known_share: float


class StaticModel:
    """`vectors`, `words` (its tokenizer) and `known_letters` of one model. Thread-safe.

    Raises ConfigurationError if the files in `folder` are missing or not those of the model.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self.vectors = TokenVectors(_mapped(folder / WEIGHTS))
            vocabulary = tokenizer_in(folder / TOKENIZER).get_vocab()
            self.words = word_tokenizer_in(folder / TOKENIZER)
        except (ImportError, OSError, ValueError) as error:
            raise ConfigurationError(
                f"{WHAT}: wordllama and its weights must be installed, with the files of version 0.4 ({error})"
            ) from error
        self.known_letters = KnownLetters(vocabulary)
        self._kept = lru_cache(maxsize=KEPT_QUESTIONS)(self._cut)

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, as rows of `vectors`."""
        return self.words.tokens(encodable(text))

    def tokens_of_words(self, words: Sequence[str]) -> list[list[int]]:
        """The tokens of each of some words."""
        return [self.tokens(word) for word in words]

    def question(self, text: str) -> CutQuestion:
        """The tokens of a question and how much of it is known. The latest are kept: search and answer need both."""
        return self._kept(text) if len(text) <= LONGEST_KEPT else self._cut(text)

    def _cut(self, text: str) -> CutQuestion:
        tokens = self.tokens(text)
        return CutQuestion(tokens, self.known_letters.share(text, tokens))


def installed_model() -> StaticModel:
    """The model of the installed wordllama, the same for all who ask in this process. Raises ConfigurationError."""
    try:
        require(WHAT, "local")
    except MissingExtraError as error:
        raise ConfigurationError(str(error)) from None
    package = find_spec("wordllama")
    places = package.submodule_search_locations if package else None
    if not places:
        raise ConfigurationError(f"{WHAT}: wordllama is no package; install it again")
    return _of_folder(Path(places[0]))


_of_folder = lru_cache(maxsize=1)(StaticModel)


def _mapped(file: Path) -> NDArray[Any]:
    """The tensor in a file of the form safetensors: 8 bytes of length, a header in JSON, then the numbers."""
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        if length > LONGEST_HEADER:
            raise ValueError(f"{file} has no header")
        header = json.loads(opened.read(length))
    try:
        tensor = header[TENSOR]
        kind, (tokens, dimension), (start, end) = _TYPES[tensor["dtype"]], tensor["shape"], tensor["data_offsets"]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{file} has no tensor {TENSOR!r} that can be used") from error
    if dimension != DIMENSION or end - start != tokens * dimension * np.dtype(kind).itemsize:
        raise ValueError(f"{file} has a tensor of another shape")
    return np.memmap(file, dtype=kind, mode="r", offset=8 + length + start, shape=(tokens, dimension))
