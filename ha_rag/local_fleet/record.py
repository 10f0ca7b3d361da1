"""FleetRecord: a file in which a running fleet leaves its address, so that commands in the same folder find it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from ha_rag.errors import ConfigurationError

FOLDER = Path(".ha_rag")
"""The default folder for a fleet's index, logs and this record."""
FILE = "fleet.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRecord:
    """A running fleet. `process`: pid of its supervisor. `url`: of its one port. `configuration`: its file, or None."""

    process: int
    url: str
    configuration: Path | None = None

    @property
    def running(self) -> bool:
        """Whether the process that wrote this still exists; a fleet that was killed cannot remove its record."""
        if sys.platform == "win32":
            return True  # os.kill would end the process there
        try:
            os.kill(self.process, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True  # it belongs to another user
        return True

    def write(self, folder: Path) -> None:
        """Writes the record into `folder`. Raises ConfigurationError if it cannot."""
        configuration = None if self.configuration is None else str(self.configuration.absolute())
        content = {"process": self.process, "url": self.url, "configuration": configuration}
        unfinished = folder / f"{FILE}.{self.process}"
        try:
            unfinished.write_text(json.dumps(content), encoding="utf-8")
            unfinished.replace(folder / FILE)
        except OSError as error:
            raise ConfigurationError(f"{folder / FILE} cannot be written: {error.strerror}") from error

    def remove(self, folder: Path) -> None:
        """Removes the record, unless another fleet has written its own since."""
        if _read(folder) == self:
            (folder / FILE).unlink(missing_ok=True)


def running_fleet(folder: Path = FOLDER) -> FleetRecord | None:
    """The fleet that runs and left its record in `folder`, or None."""
    record = _read(folder)
    return record if record is not None and record.running else None


def _read(folder: Path) -> FleetRecord | None:
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        configuration = content["configuration"]
        return FleetRecord(
            process=int(content["process"]),
            url=str(content["url"]),
            configuration=Path(configuration) if configuration else None,
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, or written by another version
