"""Ledger: the interface to the state that the replicas share, implemented by `MemoryLedger` and `RedisLedger`.

Every verb is one atomic step on one circuit and returns a `Reply`, which carries the circuit's current snapshot.
Errors: LedgerUnavailableError when the store did not answer (the verb may or may not have been applied),
ShardUnavailableError when only the circuit's part of the store did not answer, LedgerRefusedError when the store
answered with an error (the verb was not applied). Safe across tasks.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.ledger.store.refused_values import RefusedValues
from ha_rag.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Change:
    """A pushed message. `previous_epoch`: the epoch before the change; the snapshot's own if the epoch stayed."""

    circuit: str
    previous_epoch: int
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An entry of a circuit's event stream. `id`: its position in the stream, `<ms>-<n>`.

    `until_ms`: when the override that it begins will end; None: it has no end, or a replica of 0.1.0 wrote the entry.
    """

    id: str
    circuit: str
    previous_epoch: int
    epoch: int
    before: str
    after: str
    trigger: str
    reason: str
    by: str
    ok: int
    failed: int
    slow: int
    until_ms: int | None = None


@dataclass(frozen=True, slots=True)
class LoggedChange:
    """An entry of the change log. `previous_epoch` as in `Change`."""

    circuit: str
    previous_epoch: int
    epoch: int


@dataclass(frozen=True, slots=True)
class ChangeLog:
    """What changed since the last poll. `cursor`: where the next poll begins.

    `gap`: entries may be missing, since the log was trimmed or lost, or this is the first poll. `complete`: every live
    replica writes the log (0.1.0 does not). `more`: there are further entries.
    """

    cursor: str
    changes: tuple[LoggedChange, ...] = ()
    gap: bool = False
    complete: bool = True
    more: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A replica's last heartbeat. `body`: the replica's self-description, JSON text, stored unchanged."""

    incarnation: str
    at_ms: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """The store's health, for display. What the store does not report is None or "".

    `round_trip_ms`: duration of one small command.
    """

    round_trip_ms: float
    version: str = ""
    role: str = ""
    used_bytes: int | None = None
    limit_bytes: int | None = None
    clients: int | None = None
    commands_per_s: float | None = None
    warnings: tuple[str, ...] = ()


class Ledger(Protocol):
    """The shared state of all circuits."""

    refused_values: RefusedValues
    """What was heard from the store and refused, since no replica can have written it."""

    async def record(self, circuit: str, terms: Terms, batch: Batch, jitter: float) -> Reply:
        """Adds a batch of outcomes, and opens the circuit when they reach a threshold."""
        ...

    async def lease(
        self, circuit: str, terms: Terms, replica: str, known_epoch: int, token: str, spare_ms: int = 0
    ) -> Reply:
        """Requests a probe lease named `token`. `spare_ms`: how much longer than the terms say it is to be held."""
        ...

    async def settle(
        self,
        circuit: str,
        terms: Terms,
        replica: str,
        token: str,
        outcome: Outcome,
        throttled_ms: int,
        jitter: float,
        took_ms: int = 0,
    ) -> Reply:
        """Records the outcome of a probe that took `took_ms`, and ends its lease."""
        ...

    async def override(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        """Sets an operator's override, or ends it (`mode` None)."""
        ...

    async def order(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        """Sets an operator's order over the circuits of this name that each replica has for itself, or ends it."""
        ...

    async def expire_order(self, circuit: str, terms: Terms) -> Reply:
        """Records the end of an order whose time is up; changes nothing otherwise."""
        ...

    async def restore(self, circuit: str, terms: Terms, replica: str, point: RestorePoint) -> Reply:
        """Restores a circuit that the ledger lost or has an older version of."""
        ...

    async def trial(self, circuit: str, terms: Terms) -> Reply:
        """Finds out whether the ledger takes this circuit's verbs: refused where they would be. Changes nothing."""
        ...

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        """Reads these circuits without writing.

        Leaves out those whose stored state is refused (`refused_values`), and on a cluster those whose node did not
        answer. Raises LedgerError if none is left.
        """
        ...

    async def events(self, circuit: str, after: str = "-", limit: int = 100) -> list[StreamEntry]:
        """Entries of the circuit's stream after the id `after`, oldest first."""
        ...

    async def latest(self, circuit: str, limit: int = 100) -> list[StreamEntry]:
        """The last `limit` entries of the circuit's stream, oldest first."""
        ...

    async def now_ms(self) -> int:
        """The ledger's clock in Unix ms; all its timestamps come from it."""
        ...

    async def health(self) -> StoreHealth:
        """The store's own figures and warnings."""
        ...

    def changes(self) -> AsyncIterator[Change | None]:
        """Yields None once subscribed, then pushed changes. Raises LedgerUnavailableError when the connection fails."""
        ...

    async def change_log(self, cursor: str | None) -> ChangeLog | None:
        """Changes of any circuit since `cursor` (None: the first poll); None if this store keeps no log."""
        ...

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        """Sends a heartbeat of `incarnation`, which uses `circuits`. Returns the number of live incarnations."""
        ...

    async def leave(self, incarnation: str) -> None:
        """Removes this incarnation from the list at once."""
        ...

    async def replicas(self) -> list[Heartbeat]:
        """The last heartbeat of every live incarnation."""
        ...

    async def fallen_silent(self, since_ms: int) -> dict[str, int]:
        """Incarnations that did not leave and sent their last heartbeat before `since_ms` -> when, by our clock.

        Listed for ten lifetimes of a heartbeat.
        """
        ...

    async def known_circuits(self) -> list[str]:
        """Names of all circuits that a replica used recently."""
        ...

    async def remove(self, circuit: str) -> None:
        """Deletes a circuit and takes it off the list. A replica that uses it restores it."""
        ...

    async def aclose(self) -> None:
        """Closes the connections."""
        ...
