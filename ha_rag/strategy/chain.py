"""One chain: its tiers are asked in order until one answers; the last resort always does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ha_rag.breaker.breaker import PROBE_WAIT_S
from ha_rag.circuit.state import CircuitState
from ha_rag.clock import Clock
from ha_rag.deadline import Deadline
from ha_rag.messages import Attempt, ComponentType, Outcome
from ha_rag.strategy.attempt import Ask, Ended, call
from ha_rag.strategy.guard import Admission, Permit
from ha_rag.strategy.observing import Observer
from ha_rag.strategy.probes import DetachedProbes, awaited
from ha_rag.strategy.retries import Retries, pause_s
from ha_rag.strategy.tier import C, GuardedTier

T = TypeVar("T")
Call = Callable[[GuardedTier[C], Permit, float], Awaitable[Ended[T]]]
"""Talks to an admitted tier for at most so many seconds, and settles its permit."""

MOST_RESERVED = 0.5
"""At most this share of what is left is kept back for later tiers, however many there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Talk(Generic[C, T]):
    """A way to talk to tiers: `call`, and `probe`, which sets a probe going that nobody waits for."""

    call: Call[C, T]
    probe: Callable[[GuardedTier[C], Permit], object]


@dataclass(slots=True, eq=False)
class Served(Generic[T]):
    """A stage's result: the reply, the name of the tier that gave it, and every attempt on the way."""

    reply: T
    by: str
    attempts: list[Attempt]


@dataclass(frozen=True, slots=True, eq=False)
class Chain(Generic[C]):
    """The tiers of one component type, best first, and the last resort behind them (`last`, called `last_name`).

    `observer` looks on, if there is one. Safe across tasks of one event loop.
    """

    kind: ComponentType
    tiers: tuple[GuardedTier[C], ...]
    last: C
    last_name: str
    probes: DetachedProbes
    observer: Observer | None = None
    needs_s: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs_s", sum(tier.needs_s for tier in self.tiers))

    @property
    def names(self) -> list[str]:
        """All names in order, the last resort's included."""
        return [*(tier.name for tier in self.tiers), self.last_name]

    def run(
        self, ask: Ask[C, T], deadline: Deadline, later_s: float = 0.0, tiers: Sequence[GuardedTier[C]] | None = None
    ) -> Coroutine[Any, Any, Served[T]]:
        """Asks tier after tier. `later_s`: seconds that later stages need. `tiers`: another order or choice."""

        def probe(tier: GuardedTier[C], permit: Permit) -> asyncio.Task[Ended[T]]:
            return self._probe(tier, ask, permit, deadline.clock)

        async def asked(tier: GuardedTier[C], permit: Permit, limit_s: float) -> Ended[T]:
            full = limit_s >= tier.timeout_s
            if not permit.probe:
                return await call(tier, ask, permit, limit_s, deadline.clock, full=full)
            return await awaited(probe(tier, permit), limit_s) or still_probing(limit_s, full=full)

        return self.run_with(Talk(self._seen(asked), probe), ask, deadline, later_s, tiers)

    async def run_with(
        self,
        talk: Talk[C, T],
        ask_last: Ask[C, T],
        deadline: Deadline,
        later_s: float = 0.0,
        tiers: Sequence[GuardedTier[C]] | None = None,
    ) -> Served[T]:
        """Like `run`, with another way to talk to a tier."""
        if self.observer is None:
            return await self._run(talk, ask_last, deadline, later_s, tiers)
        with self.observer.stage(self.kind) as stage:
            served = await self._run(talk, ask_last, deadline, later_s, tiers)
            stage.served(served.by, served.attempts)
            return served

    def _seen(self, asked: Call[C, T]) -> Call[C, T]:
        observer = self.observer
        if observer is None:
            return asked

        async def seen(tier: GuardedTier[C], permit: Permit, limit_s: float) -> Ended[T]:
            with observer.attempt(tier.circuit, state_met(tier, permit)) as attempt:
                ended = await asked(tier, permit, limit_s)
                attempt.ended(ended.outcome, ended.reason)
                return ended

        return seen

    async def _run(
        self,
        talk: Talk[C, T],
        ask_last: Ask[C, T],
        deadline: Deadline,
        later_s: float,
        tiers: Sequence[GuardedTier[C]] | None,
    ) -> Served[T]:
        attempts: list[Attempt] = []
        reserved_s = later_s + self.needs_s
        for tier in self.tiers if tiers is None else tiers:
            reserved_s -= tier.needs_s
            limit_s = _share_s(deadline, tier.timeout_s, reserved_s)
            if limit_s <= 0:
                attempts.append(skipped(tier, "no time left"))
                continue
            admission = tier.breaker.admit()
            if admission.permit is None and admission.state is CircuitState.HALF_OPEN and limit_s > 2 * PROBE_WAIT_S:
                admission = await tier.breaker.admit_soon()
                limit_s = _share_s(deadline, tier.timeout_s, reserved_s)
            if admission.permit is None:
                attempts.append(_refused(tier, admission))
                self._probe_later(talk, tier, admission)
                continue
            if tier.retries is not None:
                tier.retries.budget.called(deadline.clock.monotonic_s())
            ended = await talk.call(tier, admission.permit, limit_s)
            attempts.append(ended.attempt(tier.circuit, admission.state))
            if ended.passing and tier.retries is not None:
                ended = await _retried(talk, tier, tier.retries, ended, deadline, reserved_s, attempts)
            if ended.replies:
                return Served(ended.replies[0], tier.name, attempts)
        return await self._last_resort(ask_last, deadline, attempts)

    async def _last_resort(self, ask: Ask[C, T], deadline: Deadline, attempts: list[Attempt]) -> Served[T]:
        started_s = deadline.clock.monotonic_s()
        reply = await ask(self.last)
        ended: Ended[T] = Ended(Outcome.OK, deadline.clock.monotonic_s() - started_s)
        no_circuit = ended.attempt(f"{self.kind}.{self.last_name}", state="")
        return Served(reply, self.last_name, [*attempts, no_circuit])

    def _probe(self, tier: GuardedTier[C], ask: Ask[C, T], permit: Permit, clock: Clock) -> asyncio.Task[Ended[T]]:
        """A probe runs to its own end; its caller waits for it no longer than for any other call."""
        own_s = tier.timeout_s if permit.bound_s is None else min(tier.timeout_s, permit.bound_s)
        return self.probes.start(call(tier, ask, permit, own_s, clock, full=own_s >= tier.timeout_s), permit)

    def _probe_later(self, talk: Talk[C, T], tier: GuardedTier[C], refused: Admission) -> None:
        """A grant that comes too late for the question is used all the same: the next one may be long in coming."""

        def start() -> None:
            permit = tier.breaker.admit().permit
            if permit is not None and permit.probe:
                talk.probe(tier, permit)

        if refused.asked is not None:
            self.probes.start_later(tier.circuit, refused.asked, start)


async def _retried(
    talk: Talk[C, T],
    tier: GuardedTier[C],
    retries: Retries,
    ended: Ended[T],
    deadline: Deadline,
    reserved_s: float,
    attempts: list[Attempt],
) -> Ended[T]:
    """How the tier ended after further tries, each a call and a vote of its own; as it was where there may be none."""
    for retry in range(1, retries.most + 1):
        pause = pause_s(retry)
        enough = _share_s(deadline, tier.timeout_s, reserved_s) - pause >= tier.needs_s
        if not (ended.passing and enough and _is_closed(tier) and retries.budget.take(deadline.clock.monotonic_s())):
            break
        await asyncio.sleep(pause)
        admission = tier.breaker.admit() if _is_closed(tier) else None
        if admission is None or admission.permit is None:
            break
        ended = await talk.call(tier, admission.permit, _share_s(deadline, tier.timeout_s, reserved_s))
        attempts.append(ended.attempt(tier.circuit, admission.state))
    return ended


def state_met(tier: GuardedTier[C], permit: Permit) -> CircuitState:
    """The state of its circuit in which a call goes out."""
    return CircuitState.HALF_OPEN if permit.probe else tier.breaker.state


def _is_closed(tier: GuardedTier[C]) -> bool:
    return tier.breaker.state is CircuitState.CLOSED


def skipped(tier: GuardedTier[C], why: str) -> Attempt:
    """The attempt that was not made, for reasons that are not its circuit's."""
    return Attempt(tier.circuit, Outcome.SKIPPED, 0.0, tier.breaker.state, why)


def _refused(tier: GuardedTier[C], admission: Admission) -> Attempt:
    tier.tally.rejected += 1
    wait = "" if admission.retry_after_s is None else f"; asks again in {admission.retry_after_s:.1f} s"
    why = f"the circuit is {admission.state.replace('_', '-')}{wait}"
    return Attempt(tier.circuit, Outcome.REJECTED, 0.0, admission.state, why)


def _share_s(deadline: Deadline, timeout_s: float, reserved_s: float) -> float:
    """Seconds a tier may take: its timeout, or less where what is left must do for later tiers too."""
    left_s = deadline.left_s()
    return min(timeout_s, left_s - min(reserved_s, MOST_RESERVED * left_s))


def still_probing(limit_s: float, *, full: bool) -> Ended[T]:
    """How a probe looks to a caller that could not wait for its end."""
    outcome = Outcome.TIMEOUT if full else Outcome.CANCELLED
    return Ended(outcome, limit_s, f"the probe had not ended after {limit_s:.3f} s, and goes on by itself")
