"""Maps exceptions to outcomes: what counts against a service, what is throttling, and what does not count."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from ha_rag.breaker.http_clients import error_verdict
from ha_rag.breaker.verdict import CANCELLED, FAILED, INVALID, TIMEOUT, Verdict, is_pause, worst
from ha_rag.errors import CircuitOpenError, ComponentError, InvalidRequestError, MisuseError, is_exit
from ha_rag.outcomes import Outcome

__all__ = ["CANCELLED", "FAILED", "INVALID", "TIMEOUT", "Classify", "ClassifyResult", "Verdict", "classify"]

Classify = Callable[[BaseException], Verdict | Outcome | None]
"""A verdict on an exception, or just its outcome; None: no opinion, the default applies."""
ClassifyResult = Callable[[Any], Verdict | Outcome | None]
"""The same for a returned value; None: the default applies."""


def classify(error: BaseException) -> Verdict:
    """The default classifier; pass your own to `registry.breaker`.

    An invalid request does not count against the service, nor does cancellation, nor a CircuitOpenError from another
    circuit inside the call. An exception with a positive `retry_after_s` is throttling. An HTTP client's exception is
    judged by its status (`http_clients.py`). Of a group of exceptions the worst counts. Anything else is a failure.
    """
    if isinstance(error, BaseExceptionGroup):
        return worst(map(classify, error.exceptions))
    if says_nothing(error):
        return CANCELLED
    if isinstance(error, InvalidRequestError):
        return INVALID
    retry_after_s: Any = getattr(error, "retry_after_s", None)
    if is_pause(retry_after_s):
        return Verdict(Outcome.THROTTLED, float(retry_after_s))
    known = None if isinstance(error, ComponentError) else error_verdict(error)
    if known is not None:
        return known
    return TIMEOUT if isinstance(error, TimeoutError) else FAILED


def says_nothing(error: BaseException) -> bool:
    """Whether an error says nothing about the service: cancellation, exit, a refusal by a circuit, misuse."""
    silent = asyncio.CancelledError | CircuitOpenError | MisuseError
    return is_exit(error) or isinstance(error, silent)
