"""The configuration file and the environment, read once, checked whole, and frozen."""

from ha_rag.settings.circuits import CircuitSettings
from ha_rag.settings.environment import Environment, read_environment
from ha_rag.settings.loading import Settings, load_settings, settings_of
from ha_rag.settings.urls import redacted

__all__ = [
    "CircuitSettings",
    "Environment",
    "Settings",
    "load_settings",
    "read_environment",
    "redacted",
    "settings_of",
]
