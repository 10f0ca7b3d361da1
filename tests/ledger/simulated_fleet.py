"""Real registries over one ledger, in virtual time, with a service that can be down and faulty connections.

After each step `check` verifies the invariants (`fleet_watch.py`). Everything a test does runs inside `Fleet.run`. The
ledger is a MemoryLedger, or the real Lua in a real redis-server (`virtual_ledgers.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from ha_rag.breaker.breaker import CircuitBreaker
from ha_rag.breaker.permit import Permit, Probe, Refusal
from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import CircuitState
from ha_rag.errors import InvalidRequestError, ServiceError, ThrottledError
from ha_rag.events import Event
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.view import View
from tests.ledger.fleet_watch import FleetWatch
from tests.ledger.logbook import Logbook
from tests.ledger.virtual_ledgers import Make, ResettableLedger, VirtualMemoryLedger
from tests.ledger.wire import Wire
from tests.strategy.virtual_time import VirtualLoop

T = TypeVar("T")

SVC = "svc"
CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

REFUSED = InvalidRequestError("the prompt was refused", status=400)

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
    """The loop's virtual time as a Clock, also between two steps of the loop."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop

    def monotonic_s(self) -> float:
        return self._loop.time()

    def unix_ms(self) -> int:
        return round(self._loop.time() * 1000)


class LedgerTime(LoopTime):
    """The clock of the ledger's machine; after a failover that is another machine's."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__(loop)
        self.ahead_ms = 0

    def unix_ms(self) -> int:
        return super().unix_ms() + self.ahead_ms


@dataclass(eq=False)
class Call:
    """One call in flight."""

    member: Member
    permit: Permit
    answer: asyncio.Future[None]
    task: asyncio.Task[Any] | None = None
    slept: bool = False

    @property
    def epoch(self) -> int:
        return self.permit._epochs.fleet_epoch

    @property
    def probe(self) -> bool:
        return self.permit.probe

    @property
    def local(self) -> bool:
        return isinstance(self.permit, Probe) and self.permit._grant.local

    @property
    def token(self) -> str:
        """When its probe lease expires."""
        return self.grant.token

    @property
    def grant(self) -> Grant:
        """The grant of its probe."""
        assert isinstance(self.permit, Probe)
        return self.permit._grant

    @property
    def slow(self) -> bool:
        """Whether it already counts as slow."""
        slow_s = self.member.fleet.policy.slow_call_s
        return slow_s != "auto" and slow_s > 0 and self.member.fleet.now_s - self.permit.started_s > slow_s


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
    sick: bool = False

    @property
    def view(self) -> View:
        return self.breaker._view

    @property
    def state(self) -> CircuitState:
        return self.breaker.state

    @property
    def has_just_joined(self) -> bool:
        sync = self.registry._link.sync
        return sync is not None and self.fleet.now_s - sync.joined_s <= 1.0

    async def call(self, error: BaseException | None = None, *, how: str = "") -> str:
        """Makes one whole call that ends at once; returns its result. `how`: as in `end`."""
        call = await self.begin()
        if call is None:
            return "refused"
        self.end(call, error, how=how)
        await self.fleet.settled(call)
        return "failed" if error else "ok"

    async def begin(self) -> Call | None:
        """Starts a call, as `call` does; None if it was refused.

        It waits 50 ms at most, and longer for a ledger that is far away only if the replica has just joined.
        """
        began_s, most_s = self.fleet.now_s, 0.0
        if self.state is HALF_OPEN:
            most_s = 0.3001 if self.has_just_joined else 0.0501
        admission = await self.breaker.admit_soon()
        waited_s = self.fleet.now_s - began_s
        assert waited_s <= most_s, f"a call waited {waited_s} s for the ledger"
        if isinstance(admission, Refusal):
            return None
        call = Call(self, admission, asyncio.get_running_loop().create_future())
        self.calls.append(call)
        self.fleet.watch.began(call)
        if call.probe:
            call.task = asyncio.ensure_future(self._probe(call))
        return call

    async def _probe(self, call: Call) -> None:
        try:
            (await self.breaker._probes.run(call.permit, lambda: self._answered(call))).value()
        except (ServiceError, InvalidRequestError, asyncio.CancelledError):
            pass
        except TimeoutError:
            self.fleet.watch.probe_ended(call, "failed")
        finally:
            self.calls.remove(call)

    @staticmethod
    async def _answered(call: Call) -> None:
        await call.member.wire.until_running()
        await asyncio.shield(call.answer)

    def end(self, call: Call, error: BaseException | None = None, *, how: str = "") -> None:
        """Ends the call as the service does; `how`: "cancelled" or "invalid" instead."""
        if call.answer.done() or call not in self.calls:
            return
        if call.probe:
            self._end_probe(call, error, how)
            return
        self.calls.remove(call)
        call.answer.cancel()
        if how:
            {"cancelled": call.permit.cancelled, "invalid": call.permit.invalid}[how]()
            return
        self.fleet.watch.call_ended(call, _named(error))
        call.permit.ok() if error is None else call.permit.raised(error)

    def _end_probe(self, call: Call, error: BaseException | None, how: str) -> None:
        if how == "cancelled":
            call.permit.cancelled()
            call.answer.cancel()
            return
        error = REFUSED if how == "invalid" else error
        call.answer.set_result(None) if error is None else call.answer.set_exception(error)
        self.fleet.watch.probe_ended(call, "slow" if error is None and call.slow else _named(error))

    def crash(self) -> None:
        """Dies without sending anything."""
        self.alive = False
        self.wire.die()
        for call in self.calls:
            call.answer.cancel()


class Fleet:
    """`Fleet(3)`: three replicas of one policy. Use `run` for everything that happens."""

    def __init__(
        self,
        replicas: int,
        policy: CircuitPolicy = QUICK,
        timeout_s: float | None = None,
        ledger: Make = VirtualMemoryLedger,
    ) -> None:
        self.policy = policy
        self.timeout_s = timeout_s
        self._runner = asyncio.Runner(loop_factory=VirtualLoop)
        loop = self._runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        self.loop = loop
        self.clock = LoopTime(loop)
        self.ledger_clock = LedgerTime(loop)
        self.ledger: ResettableLedger = ledger(self.ledger_clock)
        self.members: list[Member] = []
        self.logs: list[tuple[str, Logbook]] = []
        """All replicas that ever existed, by name."""
        self.down = False
        """Whether the service is up; a `sick` member cannot reach it either way."""
        self.watch = FleetWatch(self)
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
        self.logs.append((name, wire.log))
        return member

    async def remove_dead(self, member: Member) -> None:
        member.crash()
        self.members.remove(member)
        await member.registry.__aexit__(None, None, None)
        if member.breaker._probes.under_way:
            await asyncio.wait(member.breaker._probes.under_way)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        for member in list(self.members):
            member.wire.resume()
            self.run(self.remove_dead(member))
        self._runner.close()
        self.ledger.close()

    async def settled(self, call: Call) -> None:
        """Until a probe's outcome has been sent."""
        if call.task is not None:
            await asyncio.wait({call.task})

    def flush(self) -> None:
        with self.watch.losing(all_of_it=True):
            self.ledger.forget()

    def forget_scripts(self) -> None:
        """Redis loses only its script cache."""
        self.ledger.forget_scripts()

    def copy(self) -> None:
        """A replica of Redis copies the current data."""
        self.ledger.copy()

    def failover(self, ahead_ms: int = 0) -> None:
        """That copy becomes the master, however old it is. `ahead_ms`: how far its clock is ahead."""
        with self.watch.losing(all_of_it=False):
            self.ledger.fall_back()
            self.ledger_clock.ahead_ms += ahead_ms

    def check(self) -> None:
        """Checks the invariants."""
        self.watch.check()

    # ---- liveness ---------------------------------------------------------------------------------------------------

    async def traffic(self, seconds: float, every_s: float = 0.05) -> None:
        """Some successful calls of every replica."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            await asyncio.gather(*(m.call() for m in self.members if not m.wire.paused))
            await asyncio.sleep(every_s)
            self.check()

    async def closes(self, within_s: float) -> float:
        """Successful traffic until the circuit is closed for all; returns how long that took."""
        began_s = self.now_s
        while any(m.state is not CLOSED for m in self.members):
            waited_s = self.now_s - began_s
            states = [(m.name, m.state.value, m.breaker.shared_state) for m in self.members]
            assert waited_s <= within_s, f"not closed for all after {waited_s:.2f} s: {states}"
            await self.traffic(0.05)
        return self.now_s - began_s


def _named(error: BaseException | None) -> str:
    """The kind under which a call's outcome counts."""
    if error is None or isinstance(error, InvalidRequestError):
        return "ok"
    return "throttled" if isinstance(error, ThrottledError) else "failed"
