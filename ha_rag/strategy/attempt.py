"""One call to one tier: within a time limit, with its permit told how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ha_rag.breaker.lag import TOLERATED_S
from ha_rag.breaker.running import is_cancelled
from ha_rag.clock import Clock
from ha_rag.errors import ServiceError
from ha_rag.messages import Attempt, Outcome
from ha_rag.strategy.guard import Permit
from ha_rag.strategy.tier import C, GuardedTier
from ha_rag.strategy.time_limit import TimeIsUpError, within

T = TypeVar("T")
Ask = Callable[[C], Awaitable[T]]
"""Asks a component for what the stage needs; raises where the reply cannot be used."""

PATIENCE = 0.5
"""A caller that leaves after this share of the tier's timeout has waited long enough for it to count as one."""

LONGEST_REASON = 300


@dataclass(slots=True, eq=False)
class Ended(Generic[T]):
    """How a call ended: with `replies` (one reply, or none where it failed), and why.

    `passing`: it failed for a reason that may have passed by the next try.
    """

    outcome: Outcome
    elapsed_s: float
    reason: str = ""
    replies: tuple[T, ...] = ()
    passing: bool = False

    def attempt(self, circuit: str, state: str) -> Attempt:
        """The line it gets among an answer's attempts."""
        return Attempt(circuit, self.outcome, round(1000 * self.elapsed_s, 3), state, self.reason)


async def call(
    tier: GuardedTier[C], ask: Ask[C, T], permit: Permit, limit_s: float, clock: Clock, *, full: bool
) -> Ended[T]:
    """Calls the tier's component and settles `permit`, whatever happens.

    `limit_s`: seconds it may take. `full`: whether that is all the time the service is entitled to; if not, running out
    of it is the caller's doing, and no vote. Raises nothing but the caller's own cancellation.
    """
    started_s = clock.monotonic_s()
    got = await awaited_reply(tier, ask(tier.component), permit, limit_s, clock, full=full)
    if isinstance(got, Ended):
        return got
    elapsed_s = clock.monotonic_s() - started_s
    outcome = permit.ok()
    tier.tally.note(outcome, elapsed_s)
    return Ended(outcome, elapsed_s, "", got)


async def awaited_reply(
    tier: GuardedTier[C], work: Awaitable[T], permit: Permit, limit_s: float, clock: Clock, *, full: bool
) -> tuple[T] | Ended[T]:
    """What `work` returns, in a tuple, with the permit still open; or how it ended, with the permit settled."""
    started_s = clock.monotonic_s()
    ended: Ended[T]
    try:
        return (await within(limit_s, work),)
    except TimeIsUpError as up:
        ended = _out_of_time(permit, up, clock.monotonic_s() - started_s, full=full)
    except Exception as error:
        outcome = permit.raised(error)
        ended = Ended(outcome, clock.monotonic_s() - started_s, reason(error), passing=may_pass(outcome, error))
    except asyncio.CancelledError as error:
        waited_s = clock.monotonic_s() - started_s
        if is_cancelled():
            # A probe has no caller to end it: this process itself does, when it stops.
            patient = waited_s > PATIENCE * tier.timeout_s and not permit.probe
            outcome = permit.timed_out() if patient else permit.cancelled()
            tier.tally.note(outcome, waited_s, f"the caller left after {waited_s:.3f} s")
            raise
        ended = Ended(permit.failed(error), waited_s, "it cancelled itself")
    except BaseException:
        permit.cancelled()  # the process is ending: that says nothing about the service
        raise
    tier.tally.note(ended.outcome, ended.elapsed_s, ended.reason)
    return ended


def may_pass(outcome: Outcome, error: BaseException) -> bool:
    """Whether the same call may well succeed a moment later: a lost connection, a 5xx; no refusal, no wish for rest."""
    if outcome is not Outcome.FAILED:
        return False
    status = getattr(error, "status", None)
    if isinstance(error, ServiceError):
        return status is None or status >= 500
    return isinstance(error, ConnectionError)


def reason(error: BaseException) -> str:
    """An error as one line of limited length, for an attempt's `reason`."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _out_of_time(permit: Permit, up: TimeIsUpError, elapsed_s: float, *, full: bool) -> Ended[T]:
    if up.late_s > TOLERATED_S:
        return Ended(permit.cancelled(), elapsed_s, f"this process was busy for {up.late_s:.2f} s")
    if not full:
        why = f"cut short after {elapsed_s:.3f} s by a deadline before its own time was up"
        return Ended(permit.cancelled(), elapsed_s, why)
    return Ended(permit.timed_out(), elapsed_s, f"no reply within {elapsed_s:.3f} s")
