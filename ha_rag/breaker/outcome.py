"""From an exception to an outcome: what counts against a service, what asks for a rest, and what counts for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from ha_rag.errors import CircuitOpenError, InvalidRequestError
from ha_rag.messages import Outcome


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a call ended. `throttled_s`: the rest that the service asked for, in seconds, where it did."""

    outcome: Outcome
    throttled_s: float = 0.0


Classify = Callable[[BaseException], Verdict]

FAILED = Verdict(Outcome.FAILED)
TIMEOUT = Verdict(Outcome.TIMEOUT)
INVALID = Verdict(Outcome.INVALID)
CANCELLED = Verdict(Outcome.CANCELLED)


def classify(error: BaseException) -> Verdict:
    """What an exception says of the service that was called. The default; give your own to `registry.breaker`.

    A refused request says nothing against the service; neither does cancellation, nor the refusal of another circuit
    inside the call. An exception with a positive `retry_after_s` asks for a rest. Everything else failed.
    """
    if not isinstance(error, Exception) or isinstance(error, asyncio.CancelledError | CircuitOpenError):
        return CANCELLED
    if isinstance(error, InvalidRequestError):
        return INVALID
    asked_s = getattr(error, "retry_after_s", None)
    if isinstance(asked_s, int | float) and asked_s > 0:
        return Verdict(Outcome.THROTTLED, float(asked_s))
    return TIMEOUT if isinstance(error, TimeoutError) else FAILED
