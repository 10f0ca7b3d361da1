"""Maps exceptions to outcomes: what counts against a service, what is throttling, and what does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.errors import CircuitOpenError, InvalidRequestError
from ha_rag.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a call ended. `throttled_s`: the pause that the service asked for in seconds, 0 if none."""

    outcome: Outcome
    throttled_s: float = 0.0


Classify = Callable[[BaseException], Verdict]

FAILED = Verdict(Outcome.FAILED)
TIMEOUT = Verdict(Outcome.TIMEOUT)
INVALID = Verdict(Outcome.INVALID)
CANCELLED = Verdict(Outcome.CANCELLED)


def classify(error: BaseException) -> Verdict:
    """The default classifier; pass your own to `registry.breaker`.

    An invalid request does not count against the service, nor does cancellation, nor a CircuitOpenError from another
    circuit inside the call. An exception with a positive `retry_after_s` is throttling. Anything else is a failure.
    """
    if not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError | CircuitOpenError):
        return CANCELLED
    if isinstance(error, InvalidRequestError):
        return INVALID
    retry_after_s = getattr(error, "retry_after_s", None)
    if isinstance(retry_after_s, int | float) and retry_after_s > 0:
        return Verdict(Outcome.THROTTLED, float(retry_after_s))
    return TIMEOUT if isinstance(error, TimeoutError) else FAILED
