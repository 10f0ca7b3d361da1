"""Ledger: the protocol of what the replicas jointly believe. `MemoryLedger` and `RedisLedger` stand beside it.

Every verb is one atomic step on one circuit and answers with a `Reply`, which carries the circuit's snapshot: asking
for anything also tells the news. Errors: LedgerUnavailableError where the store did not answer (the verb may or may
not have happened), ShardUnavailableError where that says nothing of other circuits, LedgerRefusedError where it
answered with an error (it did not happen). Safe across tasks.
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
from ha_rag.messages import Outcome


@dataclass(frozen=True, slots=True)
class Change:
    """A pushed message. `previous_epoch`: the epoch before the change; the snapshot's own where none was minted."""

    circuit: str
    previous_epoch: int
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class StreamEntry:
    """An entry of a circuit's event stream. `id`: its place in the stream, `<ms>-<n>`."""

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


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a replica says of itself now and then. `body`: JSON text, kept as it is."""

    incarnation: str
    at_ms: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHealth:
    """One look at the store, for people. What it does not tell is None or "".

    `round_trip_ms`: of one small command, just now.
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
    """What the replicas jointly believe about each circuit."""

    async def record(self, circuit: str, terms: Terms, batch: Batch, jitter: float) -> Reply:
        """Adds a batch of outcomes, and opens the circuit where they say so."""
        ...

    async def lease(self, circuit: str, terms: Terms, replica: str, known_epoch: int, token: str) -> Reply:
        """Asks for a probe under `token`."""
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
        """Ends a probe that took `took_ms`."""
        ...

    async def override(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        """Sets an operator's word, or ends it (None)."""
        ...

    async def restore(self, circuit: str, terms: Terms, replica: str, belief: RestorePoint) -> Reply:
        """Restores what a ledger that lost its memory should know."""
        ...

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        """All these circuits as they read now. Writes nothing.

        Where the store has several parts, those circuits whose part answered; LedgerError where none did.
        """
        ...

    async def events(self, circuit: str, after: str = "-", limit: int = 100) -> list[StreamEntry]:
        """Entries of the circuit's stream after the id `after`, oldest first."""
        ...

    async def latest(self, circuit: str, limit: int = 100) -> list[StreamEntry]:
        """The last `limit` entries of the circuit's stream, oldest first."""
        ...

    async def now_ms(self) -> int:
        """The ledger's clock: Unix ms, by which everything in it is stamped."""
        ...

    async def health(self) -> StoreHealth:
        """What the store says of itself."""
        ...

    def changes(self) -> AsyncIterator[Change | None]:
        """Pushed changes, until the connection is lost (LedgerUnavailableError). First comes None: now listening."""
        ...

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        """Says that this incarnation lives and uses these circuits. Answers how many incarnations live."""
        ...

    async def leave(self, incarnation: str) -> None:
        """Takes this incarnation off the list at once."""
        ...

    async def replicas(self) -> list[Heartbeat]:
        """Every living incarnation's last beat."""
        ...

    async def known_circuits(self) -> list[str]:
        """Names of all circuits that some replica used lately."""
        ...

    async def aclose(self) -> None:
        """Gives connections back."""
        ...
