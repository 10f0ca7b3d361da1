"""Finds and parses the configuration file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ha_rag.errors import ConfigurationError
from ha_rag.settings.environment import Environment

DEFAULT_FILE = Path("ha_rag.toml")
MAX_FILE_BYTES = 1_000_000


def file_path(named: Path | str | None, environment: Environment) -> Path | None:
    """The file to read: `named`, else `HA_RAG_CONFIG`, else `./ha_rag.toml` if it exists, else None."""
    path = Path(named) if named else environment.config
    return path or (DEFAULT_FILE if DEFAULT_FILE.is_file() else None)


def read_file(path: Path) -> dict[str, Any]:
    """The parsed TOML. Raises ConfigurationError."""
    try:
        # The size is not asked for: pipes and devices report none.
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ConfigurationError(f"{path}: is larger than {MAX_FILE_BYTES} bytes; is it a configuration file?")
        return tomllib.loads(data.decode())
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> ConfigurationError:
    if isinstance(error, ConfigurationError):
        return error
    if isinstance(error, FileNotFoundError):
        return ConfigurationError(f"{path}: no such file")
    if isinstance(error, OSError):
        return ConfigurationError(f"{path}: cannot be read ({error.strerror or error})")
    if isinstance(error, UnicodeDecodeError):
        line = error.object[: error.start].count(b"\n") + 1
        return ConfigurationError(f"{path}: is not UTF-8 text (line {line})")
    return ConfigurationError(f"{path}: is not valid TOML: {error}")
