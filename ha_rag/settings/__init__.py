"""Configuration: one TOML file and the environment, read once, fully validated and immutable.

Which kinds of components the file may list is decided by `ha_rag.assembly.kinds`; load settings with
`ha_rag.assembly.configuration.load_settings`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ha_rag.settings.circuits import CircuitSettings
    from ha_rag.settings.components import ComponentList
    from ha_rag.settings.environment import Environment, read_environment
    from ha_rag.settings.loading import settings_from, settings_from_file
    from ha_rag.settings.secret import Secret
    from ha_rag.settings.settings import Settings
    from ha_rag.settings.urls import redacted

__all__ = [
    "CircuitSettings",
    "ComponentList",
    "Environment",
    "Secret",
    "Settings",
    "read_environment",
    "redacted",
    "settings_from",
    "settings_from_file",
]

_HOMES = {
    "CircuitSettings": "circuits",
    "ComponentList": "components",
    "Environment": "environment",
    "Secret": "secret",
    "Settings": "settings",
    "read_environment": "environment",
    "redacted": "urls",
    "settings_from": "loading",
    "settings_from_file": "loading",
}


def __getattr__(name: str) -> Any:
    """Imports a name when it is first used: a command that needs only the environment does not load pydantic."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
