"""Real registries over one MemoryLedger, in virtual time, with a service that can be down and wires that can fail.

After each step `check` demands what must always hold. Whatever a test does is done inside `Fleet.run`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.permit import Permit, Probe, Refusal
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Circuit, CircuitState, Counts
from ha_rag.circuit.transitions import Trigger
from ha_rag.errors import ServiceError
from ha_rag.events import Event
from ha_rag.ledger.memory import MemoryLedger
from ha_rag.ledger.view import View
from tests.ledger.wire import Wire
from tests.strategy.virtual_time import VirtualLoop

T = TypeVar("T")

SVC = "svc"
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

QUICK = CircuitPolicy(
    min_samples=3,
    window_s=2.0,
    recovery_timeout_s=1.0,
    recovery_timeout_max_s=4.0,
    probe_timeout_s=1.0,
    throttle_max_s=3.0,
    probe_successes=2,
)


class LoopTime:
    """The loop's virtual time as our Clock, also while the loop stands still between two steps."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic_s(self) -> float:
        return self._loop.time()

    def unix_ms(self) -> int:
        return round(self._loop.time() * 1000)


@dataclass(eq=False)
class Call:
    """One call under way."""

    member: Member
    permit: Permit
    answer: asyncio.Future[None]
    task: asyncio.Task[Any] | None = None
    slept: bool = False

    @property
    def epoch(self) -> int:
        return self.permit._term.fleet_epoch

    @property
    def probe(self) -> bool:
        return self.permit.probe

    @property
    def alone(self) -> bool:
        return isinstance(self.permit, Probe) and self.permit._grant.alone


@dataclass(eq=False)
class Member:
    """One replica."""

    fleet: Fleet
    name: str
    wire: Wire
    registry: CircuitRegistry
    breaker: CircuitBreaker
    events: list[Event]
    calls: list[Call] = field(default_factory=list)
    waiting: set[asyncio.Task[Any]] = field(default_factory=set)
    alive: bool = True
    believed: int = 0
    ended: dict[tuple[str, int], Counter[str]] = field(default_factory=dict)
    won_alone: Counter[int] = field(default_factory=Counter)

    @property
    def view(self) -> View:
        return self.breaker._view

    @property
    def state(self) -> CircuitState:
        return self.breaker.state

    async def call(self, error: BaseException | None = None) -> str:
        """One whole call, answered at once; what became of it."""
        call = await self.begin()
        if call is None:
            return "refused"
        self.end(call, error)
        await self.fleet.settled(call)
        return "failed" if error else "ok"

    async def begin(self) -> Call | None:
        """Asks, as `call` does; None where it was refused."""
        began_s = self.fleet.now_s
        admission = await self.breaker.admit_soon()
        waited_s = self.fleet.now_s - began_s
        assert waited_s <= 0.0501, f"a call waited {waited_s} s for the ledger"
        if isinstance(admission, Refusal):
            return None
        call = Call(self, admission, asyncio.get_running_loop().create_future())
        self.calls.append(call)
        known = self.view.fleet
        if known.state is not CLOSED and not call.probe and not known.override:
            assert self.won_alone[known.epoch] >= self.fleet.policy.probe_successes, "let pass without a probe"
        if call.probe:
            self.fleet.check_probes()
            call.task = asyncio.ensure_future(self._probe(call))
        return call

    async def _probe(self, call: Call) -> None:
        try:
            await self.breaker.detach(call.permit, lambda: self._answered(call))
        except (ServiceError, asyncio.CancelledError):
            pass
        except TimeoutError:
            if not call.alone:
                self.fleet.probed[call.epoch, False] += 1
        finally:
            self.calls.remove(call)

    @staticmethod
    async def _answered(call: Call) -> None:
        await call.member.wire.until_running()
        await asyncio.shield(call.answer)

    def end(self, call: Call, error: BaseException | None = None, *, how: str = "") -> None:
        """The service answers, or fails; `how`: "cancelled", "invalid" or "throttled" instead."""
        if call.answer.done() or call not in self.calls:
            return
        if call.probe:
            call.answer.set_result(None) if error is None else call.answer.set_exception(error)
            if call.alone:
                self.won_alone[self.view.fleet.epoch] += error is None
            else:
                self.fleet.probed[call.epoch, error is None] += 1
            return
        self.calls.remove(call)
        call.answer.cancel()
        if how:
            {"cancelled": call.permit.cancelled, "invalid": call.permit.invalid}[how]()
            return
        self.fleet.note(call, "ok" if error is None else "failed")
        call.permit.ok() if error is None else call.permit.raised(error)

    def crash(self) -> None:
        """Dies without a word."""
        self.alive = False
        self.wire.cut()
        for call in self.calls:
            call.answer.cancel()


class Fleet:
    """`Fleet(3)`: three replicas of one policy. Use `run` for everything that happens."""

    def __init__(self, replicas: int, policy: CircuitPolicy = QUICK, timeout_s: float | None = None) -> None:
        self.policy = policy
        self.timeout_s = timeout_s
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        loop = self._runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.clock = LoopTime(loop)
        self.ledger = MemoryLedger(self.clock)
        self.members: list[Member] = []
        self.ended: dict[int, Counter[str]] = {}
        self.probed: Counter[tuple[int, bool]] = Counter()
        self.told: set[str] = set()
        self.flushed_s = -1.0
        self.stale_copy: dict[str, Circuit] = {}
        for number in range(replicas):
            self.run(self.join(f"r{number}"))

    @property
    def now_s(self) -> float:
        return self.loop.time()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def join(self, name: str, *, wire: Wire | None = None) -> Member:
        wire = wire or Wire(self.ledger)
        events: list[Event] = []
        registry = CircuitRegistry(lambda: wire, replica=name, clock=self.clock, sinks=[events.append])
        breaker = registry.breaker(SVC, self.policy, timeout_s=self.timeout_s)
        await registry.__aenter__()
        member = Member(self, name, wire, registry, breaker, events)
        self.members.append(member)
        return member

    async def bury(self, member: Member) -> None:
        member.crash()
        self.members.remove(member)
        await member.registry.__aexit__(None, None, None)
        if member.breaker._detached._tasks:
            await asyncio.wait(member.breaker._detached._tasks)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for member in list(self.members):
            member.wire.resume()
            self.run(self.bury(member))
        self._runner.close()

    async def settled(self, call: Call) -> None:
        """Until a probe's word has left."""
        if call.task is not None:
            await asyncio.wait({call.task})

    def note(self, call: Call, how: str) -> None:
        fleet_epoch, solo_epoch = call.permit._term.fleet_epoch, call.permit._term.solo_epoch
        self.ended.setdefault(fleet_epoch, Counter())[how] += 1
        call.member.ended.setdefault((call.member.name, solo_epoch), Counter())[how] += 1

    def flush(self) -> None:
        self.ledger.forget()
        self.flushed_s = self.now_s

    def copy(self) -> None:
        """A replica of Redis copies what there is now."""
        self.stale_copy = dict(self.ledger._circuits)

    def failover(self) -> None:
        """That copy becomes the master, however old it is."""
        self.ledger._circuits = dict(self.stale_copy)
        self.flushed_s = self.now_s

    # ---- what must always hold --------------------------------------------------------------------------------------

    def check(self) -> None:
        circuit = self.ledger.circuit(SVC)
        self._check_counts(sum(circuit.window.values(), Counts()), self.ended.get(circuit.epoch, Counter()))
        for member in self.members:
            assert member.view.fleet.epoch >= member.believed, "a replica believes a lower epoch than before"
            member.believed = member.view.fleet.epoch
            own = member.view._overlay.solo.circuit
            ended = member.ended.get((member.name, own.epoch), Counter())
            self._check_counts(sum(own.window.values(), Counts()), ended)
        self.check_probes()
        self._check_events()

    def _check_events(self) -> None:
        """A probe decides only the half-open that granted it."""
        for event in [e for e in self.ledger._events[SVC] if e.id not in self.told]:
            self.told.add(event.id)
            won, lost = self.probed[event.previous_epoch, True], self.probed[event.previous_epoch, False]
            if event.trigger == Trigger.PROBES_WON:
                assert won >= self.policy.probe_successes, f"closed after {won} good probes of this half-open"
            if event.trigger == Trigger.PROBE_LOST:
                assert lost, "opened again, though no probe of this half-open failed"

    @staticmethod
    def _check_counts(counts: Counts, ended: Counter[str]) -> None:
        assert counts.ok <= ended["ok"], f"{counts} counted, of {ended} that ended in this epoch"
        assert counts.failed <= ended["failed"], f"{counts} counted, of {ended} that ended in this epoch"

    def check_probes(self) -> None:
        calls = [c for m in self.members for c in m.calls if c.probe and not c.answer.done()]
        for call in calls:
            call.slept |= call.member.wire.paused
        calls = [c for c in calls if not c.slept]
        shared = [c for c in calls if not c.alone and c.permit.started_s > self.flushed_s]
        assert len(shared) <= self.policy.probes, f"{len(shared)} probes at the service"
        for member in self.members:
            alone = [c for c in calls if c.alone and c.member is member]
            assert len(alone) <= 1, f"{member.name}, alone, probes {len(alone)} times at once"

    # ---- liveness ---------------------------------------------------------------------------------------------------

    async def traffic(self, seconds: float, every_s: float = 0.05) -> None:
        """Some healthy calls from everybody."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            await asyncio.gather(*(m.call() for m in self.members if not m.wire.paused))
            await asyncio.sleep(every_s)
            self.check()

    async def closes(self, within_s: float) -> float:
        """Healthy traffic until the circuit is closed for all; how long that took."""
        began_s = self.now_s
        while any(m.state is not CLOSED for m in self.members):
            waited_s = self.now_s - began_s
            states = [(m.name, m.state.value, m.breaker.shared_state) for m in self.members]
            assert waited_s <= within_s, f"not closed for all after {waited_s:.2f} s: {states}"
            await self.traffic(0.05)
        return self.now_s - began_s
