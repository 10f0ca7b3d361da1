"""Reads how long a service asks clients to wait (RFC 9110, 10.2.3, and what services send instead).

    429, any 5xx     `retry-after-ms`, `x-ms-retry-after-ms`, else `Retry-After`
    429              the reset of a rate limit: of one that has nothing remaining, else the soonest
    429, 503, 529    a hint in the body: "try again in 20s", "retryDelay": "34s", "retry_after": 5

The headers of rate limits are `x-ratelimit-reset`, `ratelimit-reset`, `x-ratelimit-reset-requests`,
`anthropic-ratelimit-tokens-reset` and the like, and `RateLimit: "default";r=0;t=30` (IETF drafts). A time is a number
of seconds, of units ("2s", "120ms", "1m30s", "30 seconds"), a Unix time in s or ms, or a date (HTTP or RFC 3339). One
that is not above 0 is none; one beyond a day is a day.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

LONGEST_WAIT_S = 86_400.0
"""Longer waits are taken as one day."""
SHORT_PAUSE_S = 2.0
"""The pause after a 429 that gives no time."""
TOO_MANY_REQUESTS = 429
HINTING = frozenset({429, 503, 529})
"""The statuses whose body may give a time."""

UNIX_S = (1e9, 1e11)
"""A number of seconds in this range is a Unix time: as a wait it would last 30 years or more."""
UNIX_MS = (1e12, 1e14)

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_AMOUNT = r"\d{1,15}(?:\.\d+)?\s?(?:milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d)(?![a-z])"
_DURATION = re.compile(rf"(?:{_AMOUNT}[\s,]*)+", re.IGNORECASE)
_PART = re.compile(r"(\d+(?:\.\d+)?)\s?([a-z]+)")
_SENTENCE = re.compile(
    rf"(?:try again|retry|resets?|wait|available)\D{{0,40}}?(?<![\d.-])(?P<time>(?:{_AMOUNT}[\s,]*)+)", re.IGNORECASE
)
_FIELD = re.compile(
    r'"(?:retry[_-]?after|retry_?delay|quotaResetDelay|reset_after|x-ratelimit-reset)(?P<ms>[_-]?ms)?"\s*:\s*'
    r'"?(?P<time>\d[\w.]*)',
    re.IGNORECASE,
)
_RESET = re.compile(r"(?:x-|anthropic-)?ratelimit-(?:reset(?:-[a-z-]+)?|[a-z-]+-reset)")
_DRAFTS = (
    re.compile(r"(?:;\s*r=(?P<left>\d+)\s*)?;\s*t=(?P<time>\d+)"),
    re.compile(r"(?:remaining=(?P<left>\d+),\s*)?reset=(?P<time>\d+)"),
)


def response_wait_s(status: int, headers: Mapping[str, str], now_ms: int) -> float | None:
    """The wait in seconds that the headers of a response ask for, above 0 and at most a day, or None.

    `headers`: a case-insensitive mapping, or one with lower-case names. `now_ms`: the wall clock, used for a date if
    there is no `Date` header.
    """
    if status != TOO_MANY_REQUESTS and not 500 <= status <= 599:
        return None
    wait_s = requested_wait_s(headers, now_ms)
    return _reset_s(headers, now_ms) if wait_s is None and status == TOO_MANY_REQUESTS else wait_s


def requested_wait_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """The wait that `Retry-After` and its kin ask for; see `response_wait_s`."""
    for name in ("retry-after-ms", "x-ms-retry-after-ms"):
        if (ms := _number(headers.get(name))) is not None and (wait_s := _valid(ms / 1000)) is not None:
            return wait_s
    return _time_s(headers.get("retry-after"), headers, now_ms)


def hinted_wait_s(status: int, body: str, now_ms: int) -> float | None:
    """The wait in seconds that the body of a response gives, as a field or in a sentence; None if there is none."""
    if status not in HINTING:
        return None
    if (field := _FIELD.search(body)) is not None:
        unit = "ms" if field["ms"] and field["time"].replace(".", "").isdecimal() else ""
        return _time_s(field["time"] + unit, {}, now_ms)
    sentence = _SENTENCE.search(body)
    return None if sentence is None else _time_s(sentence["time"], {}, now_ms)


def _reset_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """The wait until a rate limit is reset."""
    found = list(_resets(headers, now_ms))
    used_up = [wait_s for wait_s, left in found if left == 0]
    return min(used_up or [wait_s for wait_s, _ in found], default=None)


def _resets(headers: Mapping[str, str], now_ms: int) -> Iterator[tuple[float, float | None]]:
    """Each rate limit's wait, and how much of it is left, if that is known."""
    for name, text in headers.items():
        lower = name.lower()
        if lower == "ratelimit":
            for limit in (found for draft in _DRAFTS for found in draft.finditer(text)):
                if (wait_s := _time_s(limit["time"], headers, now_ms)) is not None:
                    yield wait_s, _number(limit["left"])
        elif _RESET.fullmatch(lower) and (wait_s := _time_s(text, headers, now_ms)) is not None:
            yield wait_s, _number(headers.get(lower.replace("reset", "remaining")))


def _time_s(text: str | None, headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds until a time in any of the forms above."""
    number = _number(text)
    if text is None or number is None:
        return _valid(_duration_s(text) if _is_duration(text) else _until(_date_s(text), headers, now_ms))
    if UNIX_MS[0] <= number < UNIX_MS[1]:
        return _valid(_until(number / 1000, headers, now_ms))
    return _valid(_until(number, headers, now_ms) if UNIX_S[0] <= number < UNIX_S[1] else number)


def _is_duration(text: str | None) -> bool:
    return text is not None and _DURATION.fullmatch(text.strip()) is not None


def _duration_s(text: str | None) -> float:
    return sum(float(amount) * _unit_s(unit) for amount, unit in _PART.findall((text or "").lower()))


def _unit_s(unit: str) -> float:
    """The length of "ms", "milliseconds", "min", "m", "s", ... in seconds."""
    name = "ms" if unit.startswith(("ms", "milli")) else unit[0]
    return _UNITS_S[name]


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _until(target_s: float | None, headers: Mapping[str, str], now_ms: int) -> float | None:
    """Seconds from the response's `Date` to the given time: both are the sender's clock, so clock skew cancels out."""
    if target_s is None:
        return None
    origin_s = _date_s(headers.get("date"))
    return target_s - (now_ms / 1000 if origin_s is None else origin_s)


def _date_s(text: str | None) -> float | None:
    """The Unix time of a date in HTTP's form or in that of RFC 3339."""
    # With these two, importing ha_rag would take a tenth longer.
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    if text is None:
        return None
    for parsed in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            date = parsed(text.strip())
            return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError, OSError):
            continue
    return None


def _valid(seconds: float | None) -> float | None:
    if seconds is None or math.isnan(seconds) or seconds <= 0:
        return None
    return min(seconds, LONGEST_WAIT_S)
