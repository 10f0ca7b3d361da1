"""PortClaims: keeps two fleets of one user that start at the same moment from choosing the same ports."""

from __future__ import annotations

import getpass
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ha_rag.local_fleet.held_lock import HeldLock


class PortClaims:
    """The ports that this fleet has chosen. A context manager; leaving it gives them up.

    Claims are locks in the user's temporary folder. Where none can be made there, every claim is granted: they only
    settle a race, since a port that is listened on is not free.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"ha-rag-ports-{getpass.getuser()}"
        self._held: dict[int, HeldLock] = {}

    def claim(self, ports: Iterable[int]) -> bool:
        """Claims all of `ports`, or none if another fleet has claimed one of them."""
        taken: dict[int, HeldLock] = {}
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for port in set(ports) - self._held.keys():
                taken[port] = HeldLock(self._folder / str(port))
                if not taken[port].acquire():
                    _release(taken)
                    return False
        except OSError:
            _release(taken)
            return True
        self._held.update(taken)
        return True

    def __enter__(self) -> PortClaims:
        return self

    def __exit__(self, *_: object) -> None:
        _release(self._held)


def _release(locks: dict[int, HeldLock]) -> None:
    for lock in locks.values():
        lock.release()
    locks.clear()
