"""MemoryLedger: a ledger in one process's memory, for tests. It applies the rules that the Lua scripts must match.

Several simulated replicas may share one. Safe across tasks and threads.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from ha_rag.circuit import rules
from ha_rag.circuit.bounds import is_beyond
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, Decision, RestorePoint, Transition
from ha_rag.circuit.snapshot import read, wait_ms
from ha_rag.circuit.state import Circuit, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.clock import Clock, SystemClock
from ha_rag.errors import LedgerRefusedError
from ha_rag.ledger.store.ledger import Change, ChangeLog, Heartbeat, LoggedChange, StoreHealth, StreamEntry
from ha_rag.ledger.store.refused_values import INVALID, RefusedValues
from ha_rag.outcomes import Outcome

EVENTS_KEPT = 1000
"""Entries kept in a circuit's stream."""


class MemoryLedger:
    """The shared state of replicas in one process. `clock`: the ledger's clock."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.refused_values = RefusedValues()
        self._lock = threading.Lock()
        self._circuits: dict[str, Circuit] = {}
        self._events: dict[str, deque[StreamEntry]] = defaultdict(lambda: deque(maxlen=EVENTS_KEPT))
        self._numbers = itertools.count(1)
        self._beats: dict[str, tuple[Heartbeat, int]] = {}
        self._seen: set[str] = set()
        self._log: list[LoggedChange] = []
        self._log_name = 0
        """Changes when the log is lost, as the ids in a new stream do."""
        self._listeners: list[tuple[asyncio.AbstractEventLoop, asyncio.Queue[Change]]] = []

    async def record(self, circuit: str, terms: Terms, batch: Batch, jitter: float) -> Reply:
        return self._apply(circuit, terms, batch.replica, lambda c, now: rules.record(c, terms, now, batch, jitter))

    async def lease(
        self, circuit: str, terms: Terms, replica: str, known_epoch: int, token: str, spare_ms: int = 0
    ) -> Reply:
        return self._apply(
            circuit, terms, replica, lambda c, now: rules.lease(c, terms, now, replica, known_epoch, token, spare_ms)
        )

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
        return self._apply(
            circuit,
            terms,
            replica,
            lambda c, now: rules.settle(c, terms, now, replica, token, outcome, throttled_ms, jitter, took_ms),
        )

    async def override(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        return self._apply(
            circuit, terms, by, lambda c, now: rules.override(c, now, mode, reason, by, for_ms), replaces_invalid=True
        )

    async def order(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        return self._apply(
            circuit, terms, by, lambda c, now: rules.order(c, now, mode, reason, by, for_ms), replaces_invalid=True
        )

    async def expire_order(self, circuit: str, terms: Terms) -> Reply:
        return self._apply(circuit, terms, "", rules.expire_order)

    async def restore(self, circuit: str, terms: Terms, replica: str, point: RestorePoint) -> Reply:
        return self._apply(circuit, terms, replica, lambda c, now: rules.restore(c, terms, now, replica, point))

    async def trial(self, circuit: str, terms: Terms) -> Reply:
        return (await self.read({circuit: terms}))[circuit]

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        now = self._clock.unix_ms()
        stored = {name: self.circuit(name) for name in circuits}
        valid = {name: circuit for name, circuit in stored.items() if self._is_valid(name, circuit, now)}
        if stored and not valid:
            raise _refusal(*stored)
        return {name: Reply(read(circuit, circuits[name], now)) for name, circuit in valid.items()}

    async def events(self, circuit: str, after: str = "-", limit: int = 100) -> list[StreamEntry]:
        start = (0, 0) if after == "-" else _position(after)
        return [e for e in self._events[circuit] if _position(e.id) > start][:limit]

    async def latest(self, circuit: str, limit: int = 100) -> list[StreamEntry]:
        return list(self._events[circuit])[-limit:]

    async def now_ms(self) -> int:
        return self._clock.unix_ms()

    async def health(self) -> StoreHealth:
        return StoreHealth(round_trip_ms=0.0)

    async def changes(self) -> AsyncIterator[Change | None]:
        queue: asyncio.Queue[Change] = asyncio.Queue()
        listener = (asyncio.get_running_loop(), queue)
        self._listeners.append(listener)
        try:
            yield None
            while True:
                yield await queue.get()
        finally:
            self._listeners.remove(listener)

    async def change_log(self, cursor: str | None) -> ChangeLog | None:
        with self._lock:
            name, _, position = (cursor or "").partition("-")
            gap = cursor is None or int(name) != self._log_name
            changes = () if gap else tuple(self._log[int(position) :])
            return ChangeLog(f"{self._log_name}-{len(self._log)}", changes, gap)

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        now = self._clock.unix_ms()
        self._beats[incarnation] = (Heartbeat(incarnation, now, body), now + life_ms)
        self._seen.update(circuits)
        return len(self._live(now))

    async def leave(self, incarnation: str) -> None:
        self._beats.pop(incarnation, None)

    async def replicas(self) -> list[Heartbeat]:
        return self._live(self._clock.unix_ms())

    async def fallen_silent(self, since_ms: int) -> dict[str, int]:
        return {name: beat.at_ms for name, (beat, _) in self._beats.items() if beat.at_ms < since_ms}

    async def known_circuits(self) -> list[str]:
        return sorted(self._seen)

    async def remove(self, circuit: str) -> None:
        with self._lock:
            self._circuits.pop(circuit, None)
            self._events.pop(circuit, None)
            self._seen.discard(circuit)

    async def aclose(self) -> None:
        """Nothing to close."""

    def forget(self) -> None:
        """Drops all state, as FLUSHALL does."""
        with self._lock:
            self._circuits.clear()
            self._events.clear()
            self._beats.clear()
            self._log.clear()
            self._log_name += 1

    def circuit(self, name: str) -> Circuit:
        """The stored circuit."""
        return self._circuits.get(name, Circuit())

    def _live(self, now: int) -> list[Heartbeat]:
        return [beat for beat, until in self._beats.values() if until > now]

    def _is_valid(self, name: str, circuit: Circuit, now_ms: int) -> bool:
        """Whether the store can hold this circuit. Not if its clock was set back by more than an hour."""
        if is_beyond(circuit.epoch, now_ms):
            self.refused_values.refuse_circuit(name, "epoch is beyond its bounds")
            return False
        self.refused_values.accept_circuit(name)
        return True

    def _apply(
        self,
        name: str,
        terms: Terms,
        replica: str,
        verb: Callable[[Circuit, int], Decision],
        *,
        replaces_invalid: bool = False,
    ) -> Reply:
        with self._lock:
            now = self._clock.unix_ms()
            before = self._circuits.get(name, Circuit())
            if not self._is_valid(name, before, now) and not replaces_invalid:
                raise _refusal(name)
            decision = verb(before, now)
            after = self._circuits[name] = decision.circuit
            self._events[name].extend(self._event(name, now, t) for t in decision.events)
            publishes = decision.publish or bool(decision.events)
            wait = wait_ms(after, terms, now, replica)
            reply = Reply(read(after, terms, now), decision.granted, wait, published=publishes)
            if publishes:
                self._log.append(LoggedChange(name, before.epoch, after.epoch))
                self._push(Change(name, before.epoch, reply.snapshot))
        return reply

    def _event(self, name: str, now: int, t: Transition) -> StreamEntry:
        return StreamEntry(
            f"{now}-{next(self._numbers)}",
            name,
            t.previous_epoch,
            t.epoch,
            t.before,
            t.after,
            t.trigger,
            t.reason,
            t.by,
            t.counts.ok,
            t.counts.failed,
            t.counts.slow,
            t.until_ms,
        )

    def _push(self, change: Change) -> None:
        for loop, queue in self._listeners:
            loop.call_soon_threadsafe(queue.put_nowait, change)


def _refusal(*circuits: str) -> LedgerRefusedError:
    return LedgerRefusedError(f"{INVALID} circuit {', '.join(circuits)}: epoch is beyond its bounds")


def _position(entry_id: str) -> tuple[int, int]:
    ms, _, number = entry_id.partition("-")
    return int(ms), int(number)
