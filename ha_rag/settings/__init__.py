"""The configuration file and the environment, read once, checked whole, and frozen."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ha_rag.settings.circuits import CircuitSettings
    from ha_rag.settings.environment import Environment, read_environment
    from ha_rag.settings.loading import Settings, load_settings, settings_of
    from ha_rag.settings.secret import Secret
    from ha_rag.settings.urls import redacted

__all__ = [
    "CircuitSettings",
    "Environment",
    "Secret",
    "Settings",
    "load_settings",
    "read_environment",
    "redacted",
    "settings_of",
]

_PLACES = {
    "CircuitSettings": "circuits",
    "Environment": "environment",
    "Secret": "secret",
    "Settings": "loading",
    "load_settings": "loading",
    "read_environment": "environment",
    "redacted": "urls",
    "settings_of": "loading",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for: a command that wants a token only need not wait for the whole configuration."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
