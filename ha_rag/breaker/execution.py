"""Execution: runs one guarded call within its time limit and settles its permit, however the call ends.

The one place where that happens: `CircuitBreaker.call`, probes and the tiers of a pipeline all come here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ha_rag.breaker.loop_lag import TOLERATED_S
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.time_limit import TimeIsUpError, within
from ha_rag.errors import ServiceError
from ha_rag.messages import Outcome

T = TypeVar("T")

LONGEST_REASON = 300

Note = Callable[[Outcome, float, str], object]
"""Hears of every call that was sent: its outcome, seconds, and the reason if it failed."""


@dataclass(slots=True, eq=False)
class Ended(Generic[T]):
    """How a call ended: with `replies` (one reply, or none where it failed), and why."""

    outcome: Outcome
    elapsed_s: float
    reason: str = ""
    replies: tuple[T, ...] = ()
    error: BaseException | None = None

    def result(self) -> T:
        """The reply. Raises what the call raised, or TimeoutError where its time was up."""
        if self.replies:
            return self.replies[0]
        raise self.error or TimeoutError(self.reason)

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed a moment later: a lost connection or a 5xx, no refusal or throttling."""
        if self.outcome is not Outcome.FAILED:
            return False
        if isinstance(self.error, ServiceError):
            return self.error.status is None or self.error.status >= 500
        return isinstance(self.error, ConnectionError)


def _nobody(outcome: Outcome, elapsed_s: float, reason: str) -> None:
    """Notes nothing."""


async def execute(
    permit: Permit,
    work: Callable[[], Awaitable[T]],
    limit_s: float | None = None,
    *,
    full: bool = True,
    keep_open: bool = False,
    note: Note = _nobody,
) -> Ended[T]:
    """Awaits `work()` for at most `limit_s` seconds and settles `permit`. Raises only the caller's own cancellation.

    `full`: whether that is all the time the service is entitled to; if not, running out of it is the caller's doing and
    counts for nothing. `keep_open`: a reply leaves the permit unsettled, since more is to come (a stream).
    """
    now = permit.recorder.now
    started_s = now()
    ended: Ended[T]
    try:
        reply = await within(limit_s, work())
    except TimeIsUpError as up:
        ended = _out_of_time(permit, up, now() - started_s, full=full)
    except Exception as error:
        ended = Ended(permit.raised(error), now() - started_s, reason(error), error=error)
    except asyncio.CancelledError as error:
        waited_s = now() - started_s
        if _is_cancelled():
            note(permit.abandoned(started_s), waited_s, f"the caller left after {waited_s:.3f} s")
            raise
        ended = Ended(permit.failed(error), waited_s, "it cancelled itself", error=error)
    except BaseException:
        permit.cancelled()  # the process is ending, which says nothing about the service
        raise
    else:
        elapsed_s = now() - started_s
        if keep_open:
            return Ended(Outcome.OK, elapsed_s, "", (reply,))
        ended = Ended(permit.ok(), elapsed_s, "", (reply,))
    note(ended.outcome, ended.elapsed_s, ended.reason)
    return ended


def reason(error: BaseException) -> str:
    """An error as one line of limited length, for an attempt's `reason`."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"


def _is_cancelled() -> bool:
    """Whether the running task was asked to end, as opposed to something inside it having been cancelled."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _out_of_time(permit: Permit, up: TimeIsUpError, elapsed_s: float, *, full: bool) -> Ended[T]:
    if up.late_s > TOLERATED_S:
        return Ended(permit.cancelled(), elapsed_s, f"this process was busy for {up.late_s:.2f} s")
    if not full:
        why = f"cut short after {elapsed_s:.3f} s by a deadline before its own time was up"
        return Ended(permit.cancelled(), elapsed_s, why)
    return Ended(permit.timed_out(), elapsed_s, f"no reply within {elapsed_s:.3f} s")
