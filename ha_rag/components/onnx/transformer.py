"""Transformer: a model and its tokenizer; one inference uses one thread, the one that asks for it."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from ha_rag.components.encodable import encodable
from ha_rag.components.known_letters import KnownLetters
from ha_rag.components.onnx.model_files import TOKENIZER, WEIGHTS, ModelFiles, missing_module
from ha_rag.errors import ComponentError, ConfigurationError, MalformedReplyError

INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})
INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}
FATAL_ONLY = 4
"""Of the library's own log: its errors are raised as well."""
FIRST_USEARCH_THAT_CRASHES = (2, 26, 2)
FileState = tuple[tuple[int, int, int, int], ...]


class Transformer:
    """A BERT-like model that this process runs. Safe across threads.

    `digest`: SHA-256 of its files. `max_tokens`: longer inputs are cut there. `shape`: of the output for an input of
    that length, which the constructor tries; it raises ConfigurationError if the files are no model that can be used.
    """

    def __init__(self, files: ModelFiles, max_tokens: int, what: str) -> None:
        self.folder = files.folder
        self.digest = files.digest
        self.max_tokens = max_tokens
        self._tokenizer = _tokenizer(files, max_tokens, what)
        self._known_letters = KnownLetters(self._tokenizer.get_vocab())
        self._session = _session(files, what)
        self._inputs = self._known_inputs()
        self.shape = self._tried()

    def output(self, text: str, other: str | None = None) -> NDArray[np.float32]:
        """The model's first output for a text, or for a pair of texts, without the batch's dimension.

        It computes for milliseconds: call it in a thread. Raises ComponentError.
        """
        pair = None if other is None else encodable(other)
        encoding = self._tokenizer.encode(encodable(text), pair)
        return self._run(encoding.ids, encoding.type_ids)

    def known_share(self, text: str) -> float:
        """Of the letters of a text, the share that the model's vocabulary knows: see KnownLetters."""
        return self._known_letters.share(text, self._tokenizer.encode(encodable(text)).ids)

    def _run(self, ids: Sequence[int], type_ids: Sequence[int]) -> NDArray[np.float32]:
        values = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": type_ids}
        feed = {name: np.array([values[name]], dtype=dtype) for name, dtype in self._inputs.items()}
        try:
            outputs = self._session.run(None, feed)
        except Exception as error:  # the library's own classes have no common base
            raise ComponentError(f"the model failed: {_first_line(error)}") from error
        output = np.asarray(outputs[0])
        if output.ndim not in {2, 3} or output.shape[0] != 1 or output.dtype.kind != "f":
            raise MalformedReplyError(f"the model returned an array of shape {output.shape}")
        first: NDArray[np.float32] = output[0].astype(np.float32, copy=False)
        return first

    def _known_inputs(self) -> dict[str, Any]:
        inputs = {each.name: each.type for each in self._session.get_inputs()}
        strange = [f"{name} ({type_})" for name, type_ in inputs.items() if type_ not in INTEGERS or name not in INPUTS]
        if strange or "input_ids" not in inputs:
            raise ConfigurationError(
                f"path: {self.folder / WEIGHTS} takes {', '.join(strange) or 'no input_ids'}; a model that can be used "
                f"takes integers called {', '.join(sorted(INPUTS))}, or some of these"
            )
        return {name: INTEGERS[type_] for name, type_ in inputs.items()}

    def _tried(self) -> tuple[int, ...]:
        """The shape of the output for the longest input, made of the last token: it shows what either file lacks."""
        last = max(self._tokenizer.get_vocab().values(), default=0)
        try:
            output = self._run([last] * self.max_tokens, [0] * self.max_tokens)
        except ComponentError as error:
            raise ConfigurationError(
                f"path: the files in {self.folder} cannot be used together, or not with {self.max_tokens} tokens "
                f"(max_tokens): {error}"
            ) from error
        return output.shape


_loaded: WeakValueDictionary[tuple[Path, int, FileState], Transformer] = WeakValueDictionary()
_loading = threading.Lock()


def transformer(folder: Path, max_tokens: int, what: str) -> Transformer:
    """The model in `folder`. Its files are read and hashed once in this process, while they stay the same.

    That takes a fraction of a second: a replica does it before it serves. `what`: who needs it, for errors. Raises
    ConfigurationError.
    """
    with _loading:
        key = (folder, max_tokens, _state(folder))
        found = _loaded.get(key)
        if found is None:
            found = _loaded[key] = Transformer(ModelFiles.read(folder), max_tokens, what)
        return found


def _state(folder: Path) -> FileState:
    try:
        stats = [(folder / name).stat() for name in (WEIGHTS, TOKENIZER)]
    except OSError:
        return ()  # reading them says what is wrong
    return tuple((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)


def _tokenizer(files: ModelFiles, max_tokens: int, what: str) -> Any:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError:
        raise missing_module(what, "tokenizers") from None
    try:
        tokenizer = Tokenizer.from_str(files.tokenizer.decode())
        tokenizer.enable_truncation(max_tokens)
        tokenizer.no_padding()
    except Exception as error:  # the library raises plain Exceptions
        raise ConfigurationError(
            f"path: {files.folder / TOKENIZER} cannot be read as a tokenizer ({_first_line(error)}); copy it again"
        ) from error
    return tokenizer


def _session(files: ModelFiles, what: str) -> Any:
    _refuse_a_crash(what)
    try:
        import onnxruntime
    except ModuleNotFoundError:
        raise missing_module(what, "onnxruntime") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = FATAL_ONLY
    try:
        return onnxruntime.InferenceSession(files.weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's own classes have no common base
        raise ConfigurationError(
            f"path: {files.folder / WEIGHTS} is not an ONNX model that can be loaded ({_first_line(error)}); copy it "
            f"again, in one file"
        ) from error


def _refuse_a_crash(what: str) -> None:
    """Raises ConfigurationError where importing onnxruntime would end the process: see decision 35."""
    if sys.platform != "linux" or "onnxruntime" in sys.modules or "usearch.compiled" not in sys.modules:
        return
    installed = version("usearch")
    if tuple(map(int, installed.split(".")[:3])) >= FIRST_USEARCH_THAT_CRASHES:
        raise ConfigurationError(
            f"{what}: usearch {installed} and onnxruntime cannot be used in one process; pip install 'usearch<2.26.2'"
        )


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
