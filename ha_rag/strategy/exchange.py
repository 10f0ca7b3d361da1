"""Exchange: how a stage calls a tier: for a single reply, or (streaming.py) for the first piece of a stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, Protocol, TypeVar

from ha_rag.breaker.execution import CallResult, execute
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.probes import DetachedProbes, result_within
from ha_rag.messages import Attempt
from ha_rag.outcomes import Outcome
from ha_rag.strategy.observing import AttemptObserver
from ha_rag.strategy.tier import C, GuardedTier

T = TypeVar("T")
C_contra = TypeVar("C_contra", contravariant=True)

Ask = Callable[[C], Awaitable[T]]
"""Calls a component's method and checks the reply; raises MalformedReplyError if it cannot be used."""
AskLast = Callable[[Sequence[Attempt]], Awaitable[T]]
"""Gives the last resort's reply after the given attempts."""


class Exchange(Protocol[C_contra, T]):
    """One stage's request to whichever tier is admitted. Belongs to one question."""

    async def ask(
        self, tier: GuardedTier[C_contra], permit: Permit, limit_s: float, observer: AttemptObserver
    ) -> CallResult[T]:
        """Calls an admitted tier for at most `limit_s` seconds and makes sure that its permit is settled."""
        ...

    def ask_last(self, component: C_contra, attempts: Sequence[Attempt], /) -> Awaitable[T]:
        """Calls the last resort, which cannot fail, after `attempts` at the tiers."""
        ...

    def start_probe(self, tier: GuardedTier[C_contra], permit: Permit) -> object:
        """Starts a probe in the background."""
        ...


class SingleReply(Generic[C, T]):
    """Calls for a single reply. `ask` calls a tier, and the last resort too unless `ask_last` does."""

    __slots__ = ("_ask", "_ask_last", "_probes")

    def __init__(self, ask: Ask[C, T], probes: DetachedProbes, ask_last: AskLast[T] | None = None) -> None:
        self._ask = ask
        self._ask_last = ask_last
        self._probes = probes

    def ask_last(self, component: C, attempts: Sequence[Attempt], /) -> Awaitable[T]:
        return self._ask(component) if self._ask_last is None else self._ask_last(attempts)

    async def ask(
        self, tier: GuardedTier[C], permit: Permit, limit_s: float, observer: AttemptObserver
    ) -> CallResult[T]:
        full = limit_s >= tier.timeout_s
        if permit.probe:
            result = await result_within(self.start_probe(tier, permit), limit_s) or still_probing(limit_s, full=full)
        else:
            work = self._work(tier, permit)
            result = await execute(permit, work, limit_s, full=full, by_person=True, note=tier.stats.note)
        observer.ended(result.outcome, result.reason)
        return result

    def start_probe(self, tier: GuardedTier[C], permit: Permit) -> asyncio.Task[CallResult[T]]:
        """Starts a probe that runs to completion; its caller waits for it no longer than for any other call."""
        own_s = tier.timeout_s if permit.bound_s is None else min(tier.timeout_s, permit.bound_s)
        work = self._work(tier, permit)
        probe = execute(permit, work, own_s, full=own_s >= tier.timeout_s, note=tier.stats.note)
        return self._probes.start(probe, permit)

    def _work(self, tier: GuardedTier[C], permit: Permit) -> Callable[[], Awaitable[T]]:
        if tier.in_process:
            # How long it takes says how much this process has to do, most of it waiting for a thread. Were it judged as
            # a service's time is, many questions at once would open the circuit of a search that works.
            permit.begun()
        return partial(self._ask, tier.component)


def still_probing(limit_s: float, *, full: bool) -> CallResult[T]:
    """The result for a caller whose time ran out before the probe ended."""
    outcome = Outcome.TIMEOUT if full else Outcome.CANCELLED
    return CallResult(
        outcome, limit_s, f"the probe had not ended after {limit_s:.3f} s and continues in the background"
    )
