"""The settings of the fleet that runs in this folder, for commands that work next to it."""

from __future__ import annotations

from pathlib import Path

from ha_rag.assembly.configuration import load_settings
from ha_rag.local_fleet.record import running_fleet
from ha_rag.settings import Settings


def settings_here(config: Path | None = None) -> Settings:
    """The configuration in this folder, or else that of the fleet that `up` runs here.

    Otherwise an ingest next to a fleet with the default configuration would miss the fleet's first embedder.
    """
    settings = load_settings(config)
    if settings.source is None and (fleet := running_fleet(settings.index_folder)) is not None:
        return load_settings(fleet.configuration)
    return settings
