"""How long a service asks us to rest: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110, 10.2.3)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

LONGEST_REST_S = 86_400.0
"""Nobody means more than a day; a larger number is taken as a day."""


def rest_asked_for_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds of rest, above 0 and at most a day, or None where no usable time was given.

    `headers`: a case-insensitive mapping. `now_ms`: the wall clock, used where a date comes without a `Date` header.
    """
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (ms := _number(headers.get(name))) is not None:
            return _sane(ms / 1000)
    text = headers.get("retry-after")
    seconds = _number(text)
    return _sane(_until(text, headers.get("date"), now_ms) if seconds is None else seconds)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _until(text: str | None, sent: str | None, now_ms: int) -> float | None:
    """Seconds from the reply's own date (the sender's clock, so that no skew matters) to the date it names."""
    target, origin = _date_s(text), _date_s(sent)
    if target is None:
        return None
    return target - (now_ms / 1000 if origin is None else origin)


def _date_s(text: str | None) -> float | None:
    try:
        return None if text is None else parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _sane(seconds: float | None) -> float | None:
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, LONGEST_REST_S)
