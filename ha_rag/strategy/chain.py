"""Chain: calls its tiers in order until one answers; the last resort always does."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from ha_rag.breaker.execution import CallResult
from ha_rag.breaker.fleet_link import PROBE_WAIT_S
from ha_rag.breaker.permit import Admission, Permit, Refusal
from ha_rag.breaker.probes import DetachedProbes
from ha_rag.circuit.state import CircuitState
from ha_rag.deadline import Deadline
from ha_rag.messages import Attempt, ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.strategy.exchange import Exchange
from ha_rag.strategy.observing import NO_OBSERVER, PipelineObserver
from ha_rag.strategy.recall import Recall, Recalled
from ha_rag.strategy.retries import Retries, pause_s
from ha_rag.strategy.tier import C, GuardedTier
from ha_rag.strategy.time_share import TimeShare

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Served(Generic[T]):
    """A stage's result: the reply, the name of the tier that gave it, and every attempt on the way."""

    reply: T
    by: str
    attempts: list[Attempt]


@dataclass(frozen=True, slots=True, eq=False)
class Chain(Generic[C]):
    """The tiers of one component type, best first, and the last resort (`last`, named `last_name`).

    `observer` is called for each stage and attempt. `optional`: whether it only runs on time that later stages do not
    need. Safe across tasks of one event loop.
    """

    kind: ComponentType
    tiers: tuple[GuardedTier[C], ...]
    last: C
    last_name: str
    probes: DetachedProbes
    observer: PipelineObserver = NO_OBSERVER
    optional: bool = False
    needs_s: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs_s", sum(tier.needs_s for tier in self.tiers))

    @property
    def names(self) -> list[str]:
        """All names in order, including the last resort's."""
        return [*(tier.name for tier in self.tiers), self.last_name]

    async def run(
        self,
        exchange: Exchange[C, T],
        deadline: Deadline,
        later_s: float = 0.0,
        tiers: Sequence[GuardedTier[C]] | None = None,
        recall: Recall[T] | None = None,
    ) -> Served[T]:
        """Calls tier after tier. `later_s`: seconds that later stages need. `tiers`: a different order or selection.

        `recall`: a cache, which may serve before or after a tier.
        """
        with self.observer.stage(self.kind) as stage:
            attempts: list[Attempt] = []
            share = TimeShare(deadline, later_s + self.needs_s, self.optional)
            for tier in self.tiers if tiers is None else tiers:
                share.release_share(tier)
                if recall is not None and (found := await recall.before(tier)) is not None:
                    served = _recalled(found, attempts)
                    break
                result = await self._try(exchange, tier, share, attempts)
                if result is not None and result.replies:
                    served = Served(result.replies[0], tier.name, attempts)
                    break
                if recall is not None and (found := await recall.after(tier)) is not None:
                    served = _recalled(found, attempts)
                    break
            else:
                served = await self._last_resort(exchange, deadline, attempts)
            stage.served(served.by, served.attempts)
            return served

    async def _try(
        self, exchange: Exchange[C, T], tier: GuardedTier[C], share: TimeShare, attempts: list[Attempt]
    ) -> CallResult[T] | None:
        """Calls one tier. Returns None if it was not called."""
        limit_s = share.limit_s(tier)
        if limit_s <= 0:
            attempts.append(skipped(tier, "no time left"))
            return None
        admission = tier.breaker.admit()
        if isinstance(admission, Refusal) and _may_wait(admission, limit_s):
            admission = await tier.breaker.admit_soon()
            limit_s = share.limit_s(tier)
        if isinstance(admission, Refusal):
            attempts.append(_refused(tier, admission))
            self._probe_later(exchange, tier, admission)
            return None
        if tier.retries is None:
            return await self._ask(exchange, tier, admission, limit_s, attempts)
        return await self._ask_with_retries(exchange, tier, tier.retries, admission, share, attempts)

    async def _ask(
        self, exchange: Exchange[C, T], tier: GuardedTier[C], permit: Permit, limit_s: float, attempts: list[Attempt]
    ) -> CallResult[T]:
        with self.observer.attempt(tier.circuit, permit.state) as observer:
            result = await exchange.ask(tier, permit, limit_s, observer)
        attempts.append(attempt(result, tier.circuit, permit.state))
        return result

    async def _ask_with_retries(
        self,
        exchange: Exchange[C, T],
        tier: GuardedTier[C],
        retries: Retries,
        permit: Permit,
        share: TimeShare,
        attempts: list[Attempt],
    ) -> CallResult[T]:
        """Calls a tier, and retries transient failures within the budget. Each retry counts as a call of its own."""
        now_s = share.deadline.clock.monotonic_s
        retries.budget.called(now_s())
        result = await self._ask(exchange, tier, permit, share.limit_s(tier), attempts)
        for retry in range(1, retries.max_per_call + 1):
            pause = pause_s(retry)
            enough = share.limit_s(tier) - pause >= tier.needs_s
            if not (result.is_transient and enough and tier.is_closed() and retries.budget.take(now_s())):
                break
            await asyncio.sleep(pause)
            if not tier.is_closed():
                break
            admission = tier.breaker.admit()
            if isinstance(admission, Refusal):
                break
            result = await self._ask(exchange, tier, admission, share.limit_s(tier), attempts)
        return result

    async def _last_resort(self, exchange: Exchange[C, T], deadline: Deadline, attempts: list[Attempt]) -> Served[T]:
        started_s = deadline.clock.monotonic_s()
        reply = await exchange.ask_last(self.last, attempts)
        result: CallResult[T] = CallResult(Outcome.OK, deadline.clock.monotonic_s() - started_s)
        no_circuit = attempt(result, f"{self.kind}.{self.last_name}", state="")
        return Served(reply, self.last_name, [*attempts, no_circuit])

    def _probe_later(self, exchange: Exchange[C, T], tier: GuardedTier[C], refused: Refusal) -> None:
        """Uses a grant that arrives too late for this question, because the next one may be a long time away."""

        def start() -> None:
            permit = tier.breaker.admit().permit
            if permit is not None and permit.probe:
                exchange.start_probe(tier, permit)

        if refused.asked is not None:
            self.probes.start_later(tier.circuit, refused.asked, start)


def attempt(result: CallResult[T], circuit: str, state: str) -> Attempt:
    """A call as an entry of an answer's attempts."""
    return Attempt(circuit, result.outcome, round(1000 * result.elapsed_s, 3), state, result.reason)


def _recalled(found: Recalled[T], attempts: list[Attempt]) -> Served[T]:
    return Served(found.reply, found.by, [*attempts, found.attempt])


def skipped(tier: GuardedTier[C], why: str) -> Attempt:
    """The entry for a tier that was not called, for reasons other than its circuit."""
    return Attempt(tier.circuit, Outcome.SKIPPED, 0.0, tier.breaker.state, why)


def _may_wait(refused: Refusal, limit_s: float) -> bool:
    return refused.state is CircuitState.HALF_OPEN and limit_s > 2 * PROBE_WAIT_S


def _refused(tier: GuardedTier[C], refusal: Admission) -> Attempt:
    tier.stats.rejected += 1
    wait = "" if refusal.retry_after_s is None else f"; retry in {refusal.retry_after_s:.1f} s"
    why = f"the circuit is {refusal.state.replace('_', '-')}{wait}"
    return Attempt(tier.circuit, Outcome.REJECTED, 0.0, refusal.state, why)
