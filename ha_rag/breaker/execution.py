"""Execution: runs one guarded call within its time limit and settles its permit, however the call ends.

Used by `CircuitBreaker.call`, by probes and by the tiers of a pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ha_rag.breaker.loop_lag import TOLERATED_S
from ha_rag.breaker.permit import Permit
from ha_rag.breaker.time_limit import TimeLimitExceededError, within
from ha_rag.errors import ServiceError, is_exit
from ha_rag.outcomes import Outcome

T = TypeVar("T")

MAX_REASON_CHARS = 300

Note = Callable[[Outcome, float, str], object]
"""Called after every call that was sent: its outcome, duration in seconds, and the reason if it failed."""


@dataclass(slots=True, eq=False)
class CallResult(Generic[T]):
    """How a call ended. `replies`: its reply, or empty if it failed; `reason`: why it failed."""

    outcome: Outcome
    elapsed_s: float
    reason: str = ""
    replies: tuple[T, ...] = ()
    error: BaseException | None = None

    def value(self) -> T:
        """The reply. Raises what the call raised, or TimeoutError if it timed out."""
        if self.replies:
            return self.replies[0]
        raise self.error or TimeoutError(self.reason)

    @property
    def is_transient(self) -> bool:
        """Whether a retry may succeed: after a lost connection or a 5xx, but not after a refusal or throttling."""
        if self.outcome is not Outcome.FAILED:
            return False
        if isinstance(self.error, ServiceError):
            return self.error.status is None or self.error.status >= 500
        return isinstance(self.error, ConnectionError)


def _ignore(outcome: Outcome, elapsed_s: float, reason: str) -> None:
    """The default `note`."""


async def execute(
    permit: Permit,
    work: Callable[[], Awaitable[T]],
    limit_s: float | None = None,
    *,
    full: bool = True,
    keep_open: bool = False,
    limit_reason: str = "",
    by_person: bool = False,
    note: Note = _ignore,
) -> CallResult[T]:
    """Awaits `work()` for at most `limit_s` seconds and settles `permit`. Raises only the caller's own cancellation.

    `full`: whether `limit_s` is the call's full timeout; if not, exceeding it is not counted against the service.
    `limit_reason`: what to say if it is exceeded. `keep_open`: a reply leaves the permit unsettled, because more pieces
    follow (a stream). `by_person`: cancelling it means that a person has left; see `Permit.abandoned`.
    """
    now = permit.recorder.now
    started_s = now()
    result: CallResult[T]
    try:
        reply = await within(limit_s, work())
    except TimeLimitExceededError as up:
        result = _out_of_time(permit, up, now() - started_s, full=full, limit_reason=limit_reason)
    except Exception as error:
        result = CallResult(permit.raised(error), now() - started_s, reason(error), error=error)
    except asyncio.CancelledError as error:
        waited_s = now() - started_s
        if _is_cancelled():
            note(
                permit.abandoned(started_s, by_person=by_person),
                waited_s,
                f"cancelled by the caller after {waited_s:.3f} s",
            )
            raise
        result = CallResult(permit.failed(error), waited_s, "the call cancelled itself", error=error)
    except BaseException as error:
        if is_exit(error):
            permit.cancelled()  # the process is exiting, which says nothing about the service
            raise
        # A panic of a library written in Rust: no Exception, and yet nothing but a failed call.
        result = CallResult(permit.raised(error), now() - started_s, reason(error), error=error)
    else:
        elapsed_s = now() - started_s
        if keep_open:
            return CallResult(Outcome.OK, elapsed_s, "", (reply,))
        result = CallResult(permit.returned(reply), elapsed_s, "", (reply,))
    note(result.outcome, result.elapsed_s, result.reason)
    return result


def reason(error: BaseException) -> str:
    """An error as one line of limited length, for an attempt's `reason`."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= MAX_REASON_CHARS else text[: MAX_REASON_CHARS - 1] + "…"


def _is_cancelled() -> bool:
    """Whether the running task itself was cancelled, rather than something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _out_of_time(
    permit: Permit, up: TimeLimitExceededError, elapsed_s: float, *, full: bool, limit_reason: str
) -> CallResult[T]:
    if up.late_s > TOLERATED_S:
        return CallResult(
            permit.cancelled(), elapsed_s, f"the event loop of this process was blocked for {up.late_s:.2f} s"
        )
    if not full:
        why = f"cut short after {elapsed_s:.3f} s by the question's deadline, before the tier's own timeout"
        return CallResult(permit.cancelled(), elapsed_s, why)
    return CallResult(permit.timed_out(), elapsed_s, limit_reason or f"no reply within {elapsed_s:.3f} s")
