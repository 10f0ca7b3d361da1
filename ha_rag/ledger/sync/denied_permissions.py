"""Permissions that Redis denies a replica, apart from the circuits' own verbs.

Circuits work without them, so nobody would notice: a replica that may not subscribe, say, learns of every change one
poll late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ha_rag.errors import LedgerRefusedError

LISTENING = "to be listened to, so changes are heard a poll late"
TELLING = "to pass on changes, so other replicas hear of them a poll late, or the history lacks them"
HEARTBEAT = "heartbeats, so this replica is not listed"
OTHER_REPLICAS = "a look at the other replicas, so nobody warns of those that differ"
CIRCUIT_LIST = "the list of circuits, so only this replica's own are shown"


class DeniedPermissions:
    """Tells of each refusal once, for as long as it lasts. Used on one event loop; read from any thread.

    `tell(what, reason)`: hears of what is new.
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._standing: dict[str, str] = {}

    @property
    def standing(self) -> tuple[str, ...]:
        """What is refused now, in words that begin where "Redis refuses" ends."""
        return tuple(self._standing)

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """Notes a right that is missing, or that it is not; the error passes on. Others say enough elsewhere."""
        try:
            yield
        except LedgerRefusedError as error:
            if error.code == "NOPERM":
                self.refused(what, str(error))
            raise
        self.taken(what)

    def refused(self, what: str, reason: str) -> None:
        """It is refused."""
        if what not in self._standing:
            self._standing = {**self._standing, what: reason}
            self._tell(what, reason)

    def taken(self, what: str) -> None:
        """It is not refused, or not any more."""
        if what in self._standing:
            self._standing = {name: why for name, why in self._standing.items() if name != what}
