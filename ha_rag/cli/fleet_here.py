"""The fleet that was started in this folder, and what is said where there is none."""

from __future__ import annotations

from pathlib import Path

from ha_rag.cli.trouble import say
from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.record import FOLDER, FleetRecord, running_fleet
from ha_rag.settings.environment import read_environment
from ha_rag.settings.file import file_path, read_file


def fleet_here() -> FleetRecord | None:
    """The fleet that `ha-rag up` runs in this folder, with the index folder of the configuration here."""
    return running_fleet(_index_folder())


def say_that_none_runs_here(url: str) -> None:
    """Says on standard error which other fleet is used: it may be one that somebody else has started."""
    say(f"no fleet was started in this folder; trying {url}")


def _index_folder() -> Path:
    # Only this one key is read, so that commands start fast, and work beside a file that is just being edited.
    try:
        source = file_path(None, read_environment())
        table = read_file(source).get("index") if source else None
    except ConfigurationError:
        return FOLDER
    path = table.get("path") if isinstance(table, dict) else None
    return Path(path) if isinstance(path, str) and path else FOLDER
