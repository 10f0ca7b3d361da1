"""The version of this package, as it was installed."""

from __future__ import annotations

from functools import cache
from importlib import metadata


@cache
def version() -> str:
    """Such as "0.1.0"; "0+unknown" where the package runs from a folder that was never installed."""
    try:
        return metadata.version("ha-rag")
    except metadata.PackageNotFoundError:
        return "0+unknown"
