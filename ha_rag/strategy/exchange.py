"""Exchange: what a stage wants of a tier, and how it is asked: for one reply, or (streaming.py) for a first piece."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from ha_rag.breaker.execution import Ended, execute
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.probes import DetachedProbes, awaited
from ha_rag.messages import Outcome
from ha_rag.strategy.observing import AttemptSeen
from ha_rag.strategy.tier import C, GuardedTier

T = TypeVar("T")
C_contra = TypeVar("C_contra", contravariant=True)

Ask = Callable[[C], Awaitable[T]]
"""Asks a component for what the stage needs; raises where the reply cannot be used."""


class Exchange(Protocol[C_contra, T]):
    """One question put to whichever tier is admitted. Belongs to one question."""

    async def ask(self, tier: GuardedTier[C_contra], permit: Permit, limit_s: float, seen: AttemptSeen) -> Ended[T]:
        """Asks an admitted tier for at most `limit_s` seconds, and sees to it that its permit is settled."""
        ...

    def ask_last(self, component: C_contra, /) -> Awaitable[T]:
        """Asks the last resort, which cannot fail."""
        ...

    def start_probe(self, tier: GuardedTier[C_contra], permit: Permit) -> object:
        """Starts a probe that nobody waits for."""
        ...


class SingleReply(Generic[C, T]):
    """Asks for one reply. `ask_last`: also how each tier is asked."""

    __slots__ = ("_probes", "ask_last")

    def __init__(self, ask: Ask[C, T], probes: DetachedProbes) -> None:
        self.ask_last = ask
        self._probes = probes

    async def ask(self, tier: GuardedTier[C], permit: Permit, limit_s: float, seen: AttemptSeen) -> Ended[T]:
        full = limit_s >= tier.timeout_s
        if permit.probe:
            ended = await awaited(self.start_probe(tier, permit), limit_s) or still_probing(limit_s, full=full)
        else:
            work = partial(self.ask_last, tier.component)
            ended = await execute(permit, work, limit_s, full=full, note=tier.stats.note)
        seen.ended(ended.outcome, ended.reason)
        return ended

    def start_probe(self, tier: GuardedTier[C], permit: Permit) -> asyncio.Task[Ended[T]]:
        """A probe runs to its own end; its caller waits for it no longer than for any other call."""
        own_s = tier.timeout_s if permit.bound_s is None else min(tier.timeout_s, permit.bound_s)
        work = partial(self.ask_last, tier.component)
        probe = execute(permit, work, own_s, full=own_s >= tier.timeout_s, note=tier.stats.note)
        return self._probes.start(probe, permit)


def still_probing(limit_s: float, *, full: bool) -> Ended[T]:
    """How a probe looks to a caller that could not wait for its end."""
    outcome = Outcome.TIMEOUT if full else Outcome.CANCELLED
    return Ended(outcome, limit_s, f"the probe had not ended after {limit_s:.3f} s, and goes on by itself")
