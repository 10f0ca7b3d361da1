"""A ledger as one replica reaches it: over a slow, lossy, refusing, cut or frozen connection, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from ha_rag import chance
from ha_rag.circuit import rules
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.errors import LedgerError, LedgerRefusedError, LedgerUnavailableError
from ha_rag.ledger.store.ledger import Change, ChangeLog, Heartbeat, StoreHealth, StreamEntry
from ha_rag.outcomes import Outcome
from tests.ledger.logbook import Logbook
from tests.ledger.virtual_ledgers import InspectableLedger

T = TypeVar("T")

TIMEOUT_S = 0.25
"""How long RedisLedger waits for a reply."""


class Wire:
    """Sits between a registry and a ledger.

    `delay_s`: each way, for requests, replies and messages alike. `gone`: everything fails at once; `frozen`: no
    replies until it thaws. `readonly`: writes are refused. `lose`: the next of these ("record>" a request, "record<"
    its reply, "message") are lost; `twice`: requests or messages that arrive twice. `sent`: verbs in the order they
    were sent. `paused`: this replica's process is paused. `snapshots`: every snapshot that reached the replica, with
    the circuit's name and time; `asked`: lease tokens and when they were requested; `leased_s`: for how
    long; `granted`: those whose grant reached the replica, and when; `settling`: tokens whose outcome was sent -> when
    last; `settled`: those acknowledged. `log`: what the ledger did.
    """

    def __init__(self, ledger: InspectableLedger) -> None:
        self.ledger = ledger
        self.refused_values = ledger.refused_values
        self.delay_s = 0.001
        self.jitter_s = 0.0
        self.gone = False
        self.readonly = False
        self.lose: list[str] = []
        self.twice: list[str] = []
        self.sent: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.snapshots: list[tuple[float, str, Snapshot]] = []
        self.granted: dict[str, float] = {}
        self.asked: dict[str, float] = {}
        self.leased_s: dict[str, float] = {}
        self.settling: dict[str, float] = {}
        self.settled: set[str] = set()
        self.log = Logbook(ledger)
        self._thawed = asyncio.Event()
        self._thawed.set()
        self._running = asyncio.Event()
        self._running.set()
        self._queues: set[asyncio.Queue[Change | None]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self.closed = False
        self.dead = False

    # ---- control ----------------------------------------------------------------------------------------------------

    def cut(self) -> None:
        self.gone = True
        for queue in self._queues:
            queue.put_nowait(None)

    def die(self) -> None:
        """The replica was killed: it receives nothing, but what it sent is still delivered."""
        self.dead = True
        self.cut()

    def repair(self) -> None:
        self.gone = False

    def heal(self) -> None:
        """Ends all faults."""
        self.repair()
        self.thaw()
        self.resume()
        self.lose.clear()
        self.twice.clear()
        self.failing.clear()
        self.readonly = False
        self.delay_s, self.jitter_s = 0.001, 0.0

    def freeze(self) -> None:
        self._thawed.clear()

    def thaw(self) -> None:
        self._thawed.set()

    @property
    def frozen(self) -> bool:
        return not self._thawed.is_set()

    def pause(self) -> None:
        self._running.clear()

    def resume(self) -> None:
        self._running.set()

    @property
    def paused(self) -> bool:
        return not self._running.is_set()

    async def until_running(self) -> None:
        await self._running.wait()

    # ---- the verbs --------------------------------------------------------------------------------------------------

    async def record(self, circuit: str, terms: Terms, batch: Batch, jitter: float) -> Reply:
        async def counted() -> Reply:
            return await self.log.step(circuit, batch, lambda: self.ledger.record(circuit, terms, batch, jitter))

        return self._brought(circuit, await self._write("record", counted))

    async def lease(
        self, circuit: str, terms: Terms, replica: str, known_epoch: int, token: str, spare_ms: int = 0
    ) -> Reply:
        async def ask() -> Reply:
            known, now_ms = self.ledger.circuit(circuit), await self.ledger.now_ms()
            if self.readonly and rules.lease(known, terms, now_ms, replica, known_epoch, token).granted:
                raise LedgerRefusedError("READONLY You can't write against a read only replica.")
            before = self.log.contents(circuit)
            reply = await self.ledger.lease(circuit, terms, replica, known_epoch, token, spare_ms)
            if not reply.granted and self.log.contents(circuit) != before:
                self.log.faults.append("a refused lease wrote something")
            return reply

        self.asked[token], self.leased_s[token] = self._now_s(), terms.lease_ms / 1000
        self.log.asked_for_a_probe(self._now_s())
        reply = self._brought(circuit, await self._send("lease", ask))
        if reply.granted:
            self.granted[token] = self._now_s()
        else:
            self.log.refused_a_probe(reply, self._now_s())
        return reply

    async def settle(
        self, circuit: str, terms: Terms, replica: str, token: str, outcome: Outcome, throttled_ms: int, jitter: float,
        took_ms: int = 0,
    ) -> Reply:  # fmt: skip
        self.settling[token] = self._now_s()
        try:
            reply = await self._write(
                "settle",
                lambda: self.ledger.settle(circuit, terms, replica, token, outcome, throttled_ms, jitter, took_ms),
            )
        except LedgerRefusedError:
            self.settled.add(token)
            raise
        self.settled.add(token)
        return self._brought(circuit, reply)

    async def override(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        return self._brought(
            circuit,
            await self._write("override", lambda: self.ledger.override(circuit, terms, mode, reason, by, for_ms)),
        )

    async def order(
        self, circuit: str, terms: Terms, mode: OverrideMode | None, reason: str, by: str, for_ms: int | None
    ) -> Reply:
        return self._brought(
            circuit,
            await self._write("order", lambda: self.ledger.order(circuit, terms, mode, reason, by, for_ms)),
        )

    async def expire_order(self, circuit: str, terms: Terms) -> Reply:
        return self._brought(
            circuit, await self._write("expire_order", lambda: self.ledger.expire_order(circuit, terms))
        )

    async def trial(self, circuit: str, terms: Terms) -> Reply:
        async def tried() -> Reply:
            before = self.log.contents(circuit)
            reply = await self.ledger.trial(circuit, terms)
            if self.log.contents(circuit) != before:
                self.log.faults.append("a trial changed something")
            return reply

        return self._brought(circuit, await self._write("trial", tried))

    async def restore(self, circuit: str, terms: Terms, replica: str, point: RestorePoint) -> Reply:
        async def restored() -> Reply:
            return await self.log.step(circuit, point, lambda: self.ledger.restore(circuit, terms, replica, point))

        return self._brought(circuit, await self._write("restore", restored))

    async def read(self, circuits: Mapping[str, Terms]) -> dict[str, Reply]:
        async def look() -> dict[str, Reply]:
            before = self.log.contents(*circuits)
            replies = await self.ledger.read(circuits)
            if self.log.contents(*circuits) != before:
                self.log.faults.append("a read wrote something")
            return replies

        found = await self._send("read", look) if circuits else {}
        return {name: self._brought(name, reply) for name, reply in found.items()}

    async def events(self, circuit: str, after: str = "-", limit: int = 100) -> list[StreamEntry]:
        return await self._send("events", lambda: self.ledger.events(circuit, after, limit))

    async def latest(self, circuit: str, limit: int = 100) -> list[StreamEntry]:
        return await self._send("latest", lambda: self.ledger.latest(circuit, limit))

    async def now_ms(self) -> int:
        return await self._send("now_ms", self.ledger.now_ms)

    async def health(self) -> StoreHealth:
        return await self._send("health", self.ledger.health)

    async def changes(self) -> AsyncIterator[Change | None]:
        if self.gone:
            raise LedgerUnavailableError("gone")
        queue: asyncio.Queue[Change | None] = asyncio.Queue()
        pump = asyncio.ensure_future(self._pump(queue))
        self._queues.add(queue)
        try:
            yield None
            while (change := await queue.get()) is not None:
                await self._running.wait()
                self.snapshots.append((self._now_s(), change.circuit, change.snapshot))
                self.log.received()
                yield change
            raise LedgerUnavailableError("cut")
        finally:
            self._queues.discard(queue)
            pump.cancel()

    async def beat(self, incarnation: str, body: str, circuits: Sequence[str], life_ms: int) -> int:
        return await self._send("beat", lambda: self.ledger.beat(incarnation, body, circuits, life_ms))

    async def change_log(self, cursor: str | None) -> ChangeLog | None:
        return await self._send("change_log", lambda: self.ledger.change_log(cursor))

    async def remove(self, circuit: str) -> None:
        await self._send("remove", lambda: self.ledger.remove(circuit))

    async def leave(self, incarnation: str) -> None:
        await self._send("leave", lambda: self.ledger.leave(incarnation))

    async def replicas(self) -> list[Heartbeat]:
        return await self._send("replicas", self.ledger.replicas)

    async def fallen_silent(self, since_ms: int) -> dict[str, int]:
        return await self._send("fallen_silent", lambda: self.ledger.fallen_silent(since_ms))

    async def known_circuits(self) -> list[str]:
        return await self._send("circuits", self.ledger.known_circuits)

    async def aclose(self) -> None:
        self.closed = True
        if self.dead:
            return
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()

    def _brought(self, circuit: str, reply: Reply) -> Reply:
        self.snapshots.append((self._now_s(), circuit, reply.snapshot))
        self.log.received()
        return reply

    # ---- delivery ---------------------------------------------------------------------------------------------------

    async def _write(self, verb: str, act: Callable[[], Awaitable[Reply]]) -> Reply:
        async def checked() -> Reply:
            if self.readonly:
                raise LedgerRefusedError("READONLY You can't write against a read only replica.")
            return await act()

        return await self._send(verb, checked)

    async def _send(self, verb: str, act: Callable[[], Awaitable[T]]) -> T:
        await self._running.wait()
        self.sent.append(verb)
        self.log.sent(verb, self._now_s())
        if verb in self.failing:
            raise self.failing[verb]
        if self.gone:
            raise LedgerUnavailableError("gone")
        journey = self._spawn(self._journey(verb, act))
        done, _ = await asyncio.wait({journey}, timeout=TIMEOUT_S)
        while self.paused:  # a paused process notices no timeout: it first reads what has arrived
            await self._running.wait()
            done, _ = await asyncio.wait({journey}, timeout=TIMEOUT_S)
        if not done or self.gone:
            raise LedgerUnavailableError(f"{verb}: no answer")
        return journey.result()

    async def _journey(self, verb: str, act: Callable[[], Awaitable[T]]) -> T:
        await self._travel()
        if self._strikes(self.lose, f"{verb}>"):
            await asyncio.Event().wait()
        if self._strikes(self.twice, verb):
            self._spawn(self._again(act))
        try:
            answer = await act()
        except LedgerError as error:
            if not self.readonly:
                self.log.faults.append(f"{verb} was refused: {error}")
            raise
        finally:
            await self._travel()
        if self._strikes(self.lose, f"{verb}<"):
            await asyncio.Event().wait()
        return answer

    async def _again(self, act: Callable[[], Awaitable[Any]]) -> None:
        await asyncio.sleep(5 * self.delay_s + chance.draw() * self.jitter_s)
        await act()

    async def _travel(self) -> None:
        await asyncio.sleep(self.delay_s + chance.draw() * self.jitter_s)
        await self._thawed.wait()

    async def _pump(self, queue: asyncio.Queue[Change | None]) -> None:
        is_begun = False
        async for change in self.ledger.changes():
            if change is None:
                if is_begun:
                    queue.put_nowait(None)  # the connection ended; the replica subscribes again
                is_begun = True
                continue
            for _ in range(2 if self._strikes(self.twice, "message") else 1):
                if not self._strikes(self.lose, "message") and not self.gone:
                    self._spawn(self._bring(queue, change))

    async def _bring(self, queue: asyncio.Queue[Change | None], change: Change) -> None:
        await self._travel()
        if not self.gone:
            queue.put_nowait(change)

    @staticmethod
    def _strikes(plan: list[str], what: str) -> bool:
        if what in plan:
            plan.remove(what)
            return True
        return False

    def _spawn(self, work: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()
            assert error is None or isinstance(error, LedgerError), error
