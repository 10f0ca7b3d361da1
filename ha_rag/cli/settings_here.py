"""The settings of the fleet that runs here, for commands that work beside it."""

from __future__ import annotations

from pathlib import Path

from ha_rag.assembly.configuration import load_settings
from ha_rag.local_fleet.record import running_fleet
from ha_rag.settings import Settings


def settings_here(config: Path | None = None) -> Settings:
    """What holds in this folder: the configuration; where there is none, that of the fleet that `up` runs here.

    Without it an ingest beside a fleet that nobody configured would miss the fleet's first embedder.
    """
    settings = load_settings(config)
    if settings.source is None and (fleet := running_fleet(settings.index_folder)) is not None:
        return load_settings(fleet.configuration)
    return settings
