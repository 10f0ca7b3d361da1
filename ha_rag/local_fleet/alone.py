"""At most one fleet of `ha-rag up` in a folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError, HaRagError
from ha_rag.local_fleet.held_lock import HeldLock
from ha_rag.local_fleet.record import LOCK, last_record, running_fleet

STARTING_S = 3.0
"""How long to wait until another fleet that has just been started says where it is."""
_LOOK_S = 0.05


class FleetRunningError(HaRagError):
    """A fleet runs in this folder already. `url`: its address; "" if it has just been started."""

    def __init__(self, folder: Path, url: str, process: int | None) -> None:
        place = f"a fleet runs here already (its folder: {folder.resolve()})"
        address = f": {url}, process {process}" if url else ", and is just starting"
        super().__init__(f"{place}{address}; stop it with Ctrl-C, or start another one in another folder")
        self.url = url


@asynccontextmanager
async def only_fleet_in(folder: Path) -> AsyncIterator[None]:
    """Makes this process the only fleet of `folder`. Raises FleetRunningError, or ConfigurationError if it cannot."""
    lock = HeldLock(folder / LOCK)
    await _acquire(lock, folder)
    try:
        if (older := last_record(folder)) is not None and not older.locks and running_fleet(folder) is not None:
            raise FleetRunningError(folder, older.url, older.process)
        if older is not None:
            older.remove(folder)  # its fleet was killed; others shall not take it for this one's
        yield
    finally:
        lock.release()


async def _acquire(lock: HeldLock, folder: Path) -> None:
    for _ in range(int(STARTING_S / _LOOK_S)):
        try:
            if lock.acquire():
                return
        except OSError as error:
            raise ConfigurationError(f"{folder / LOCK} cannot be made: {reason(error)}") from error
        # Held by a fleet, or for an instant by a command that looks whether one runs.
        await asyncio.sleep(_LOOK_S)
        if (record := running_fleet(folder)) is not None and record.locks:
            raise FleetRunningError(folder, record.url, record.process)
    record = last_record(folder)
    raise FleetRunningError(folder, record.url if record else "", record.process if record else None)
