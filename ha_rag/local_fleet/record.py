"""FleetRecord: a file in which a running fleet leaves its address, so that commands in the same folder find it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.held_lock import is_held

FOLDER = Path(".ha_rag")
"""The default folder for a fleet's index, logs and this record."""
FILE = "fleet.json"
LOCK = "fleet.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRecord:
    """A running fleet. `process`: pid of its supervisor. `url`: of its one port. `configuration`: its file, or None.

    `locks`: whether the fleet holds the lock of its folder while it runs; version 0.1.0 did not.
    """

    process: int
    url: str
    configuration: Path | None = None
    locks: bool = True

    def write(self, folder: Path) -> None:
        """Writes the record into `folder`. Raises ConfigurationError if it cannot."""
        configuration = None if self.configuration is None else str(self.configuration.absolute())
        content = {"process": self.process, "url": self.url, "configuration": configuration, "locks": self.locks}
        unfinished = folder / f"{FILE}.{self.process}"
        try:
            unfinished.write_text(json.dumps(content), encoding="utf-8")
            unfinished.replace(folder / FILE)
        except OSError as error:
            raise ConfigurationError(f"{folder / FILE} cannot be written: {reason(error)}") from error

    def remove(self, folder: Path) -> None:
        """Removes the record, unless another fleet has written its own since."""
        if last_record(folder) == self:
            (folder / FILE).unlink(missing_ok=True)


def running_fleet(folder: Path = FOLDER) -> FleetRecord | None:
    """The fleet that runs and left its record in `folder`, or None. The record of a killed one counts for nothing."""
    record = last_record(folder)
    if record is None:
        return None
    runs = is_held(folder / LOCK) if record.locks else _process_runs(record.process)
    return record if runs else None


def last_record(folder: Path) -> FleetRecord | None:
    """The record in `folder`, whether or not its fleet still runs; None if there is none that can be read."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        configuration = content["configuration"]
        return FleetRecord(
            process=int(content["process"]),
            url=str(content["url"]),
            configuration=Path(configuration) if configuration else None,
            locks=content.get("locks") is True,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, or written by another version


def _process_runs(process: int) -> bool:
    """Whether a fleet of version 0.1.0 still runs, as far as its process tells."""
    if sys.platform == "win32":
        return True  # os.kill would end the process there
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True  # it belongs to another user
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return True  # this system does not tell what the process is
    # Its number may have been given to another process since.
    return b"ha-rag" in words or b"ha_rag" in words
