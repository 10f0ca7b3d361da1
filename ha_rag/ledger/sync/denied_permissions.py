"""Permissions that Redis denies a replica, apart from the circuits' own verbs.

Circuits work without them, so a missing one would go unnoticed: a replica that may not subscribe, for example, sees
every change one poll interval late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ha_rag.errors import LedgerRefusedError

SUBSCRIBING = "subscriptions, so this replica sees changes one poll interval late"
PUBLISHING = "to publish changes, so other replicas see them one poll interval late or the event history is incomplete"
HEARTBEAT = "heartbeats, so this replica is not listed"
CHANGE_LOG = "to read the log of changes, so every circuit in use is polled"
OTHER_REPLICAS = "access to the other replicas' heartbeats, so differing policies go unnoticed"
CIRCUIT_LIST = "access to the list of circuits, so only this replica's own are shown"


class DeniedPermissions:
    """The permissions denied now. Updated on one event loop, read from any thread.

    `notify(what, reason)`: called once for each denied permission, and again if it is granted and denied later.
    """

    def __init__(self, notify: Callable[[str, str], None]) -> None:
        self._notify = notify
        self._reasons: dict[str, str] = {}

    @property
    def current(self) -> tuple[str, ...]:
        """What is denied now; each item completes the sentence "Redis refuses ..."."""
        return tuple(self._reasons)

    @contextmanager
    def checked(self, what: str) -> Iterator[None]:
        """Notes whether the block fails with NOPERM. Errors pass through; other errors are handled by the caller."""
        try:
            yield
        except LedgerRefusedError as error:
            if error.code == "NOPERM":
                self.denied(what, str(error))
            raise
        self.granted(what)

    def denied(self, what: str, reason: str) -> None:
        """Notes that a permission is denied."""
        if what not in self._reasons:
            self._reasons = {**self._reasons, what: reason}
            self._notify(what, reason)

    def granted(self, what: str) -> None:
        """Notes that a permission is granted."""
        if what in self._reasons:
            self._reasons = {name: why for name, why in self._reasons.items() if name != what}
