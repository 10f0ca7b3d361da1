"""Reads how long a service asks clients to wait: `retry-after-ms`, or `Retry-After` (RFC 9110, 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_WAIT_S = 86_400.0
"""Longer waits are taken as one day."""


def requested_wait_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """The requested wait in seconds, above 0 and at most a day, or None if there is no valid one.

    `headers`: a case-insensitive mapping. `now_ms`: the wall clock, used for a date if there is no `Date` header.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (ms := _number(headers.get(name))) is not None:
            return _valid(ms / 1000)
    text = headers.get("retry-after")
    seconds = _number(text)
    return _valid(_until(text, headers.get("date"), now_ms) if seconds is None else seconds)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _until(text: str | None, sent: str | None, now_ms: int) -> float | None:
    """Seconds from the response's `Date` to the given date: both are the sender's clock, so clock skew cancels out."""
    target, origin = _date_s(text), _date_s(sent)
    if target is None:
        return None
    return target - (now_ms / 1000 if origin is None else origin)


def _date_s(text: str | None) -> float | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _valid(seconds: float | None) -> float | None:
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, LONGEST_WAIT_S)
