"""Loads settings, with the component kinds that are registered in `ha_rag.assembly.kinds`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ha_rag.assembly.kinds import component_lists
from ha_rag.settings import Environment, Settings, settings_from, settings_from_file


def load_settings(path: Path | str | None = None, variables: Mapping[str, str] | None = None) -> Settings:
    """The settings of `path` (default: `HA_RAG_CONFIG`, then `./ha_rag.toml`, then the built-in defaults).

    `variables`: the environment (default: this process's), which takes precedence over the file.
    Raises ConfigurationError with a sentence per problem: key path, value, rule.
    """
    return settings_from_file(path, variables, component_lists())


def settings_of(content: Mapping[str, Any], environment: Environment, source: Path | None = None) -> Settings:
    """The settings that result from a file's parsed `content` and the environment. Raises ConfigurationError."""
    return settings_from(content, environment, component_lists(), source)
