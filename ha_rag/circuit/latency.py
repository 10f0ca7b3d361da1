"""Latency thresholds learned from a circuit's recent calls: when a call is overdue, and when it is slow.

Both derive from the 99th percentile of the last successful calls. Neither applies before there are `MIN_CALLS` of
them, so a new circuit in front of a slow model is not affected.

    overdue   in flight for longer than max(0.25 s, 3 x p99). The percentile is current: an overdue call that succeeds
              after all is subtracted again.
    slow      took longer than max(0.25 s, 3 x reference), at most half of the timeout, never less than the reference.
              The reference is the same percentile, but it at most doubles in `DOUBLING_S` seconds of traffic: a
              brownout does not become the norm, and a lasting change is followed within minutes.

Floats are seconds. Not locked: the view holds the lock. docs/decisions/0008 has the simulations behind the numbers.
"""

from __future__ import annotations

import math
from collections import deque

MAX_CALLS = 512
"""Successful calls that are kept."""

MIN_CALLS = 100
"""Successful calls needed before either threshold applies."""

FLOOR_S = 0.25
"""Shorter calls are never overdue or slow."""

FACTOR = 3.0
"""A call longer than this multiple of the 99th percentile is too long."""

TIMEOUT_SHARE = 0.5
"""A call that takes more than this share of its timeout is slow, unless the reference is higher."""

DOUBLING_S = 300.0
"""The reference at most doubles in this time."""

REFRESH_S = 1.0
"""The percentile is recomputed at most this often. An idle period counts as this much traffic."""


class RecentLatency:
    """The latencies of one circuit's last successful calls. `timeout_s`: the calls' timeout, None if they have none.

    `seconds`: append a successful call's latency. `overdue_after_s`, `slow_after_s`: infinity until known.
    `p99_s`: the 99th percentile; infinity until known. `reference_s`: the usual one; 0 until known.
    """

    __slots__ = (
        "_refreshed_s", "_seen", "_timeout_s", "overdue_after_s", "p99_s", "reference_s", "seconds", "slow_after_s",
    )  # fmt: skip

    def __init__(self, timeout_s: float | None) -> None:
        self.seconds: deque[float] = deque(maxlen=MAX_CALLS)
        self.overdue_after_s = self.slow_after_s = self.p99_s = math.inf
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self.reference_s = 0.0
        self._refreshed_s = -math.inf
        self._seen: object = None

    def refresh(self, now_s: float) -> None:
        """Recomputes both thresholds if there are new calls and the last time is `REFRESH_S` ago."""
        since_s = now_s - self._refreshed_s
        if since_s < REFRESH_S or len(self.seconds) < MIN_CALLS or self.seconds[-1] is self._seen:
            return
        self._seen, self._refreshed_s = self.seconds[-1], now_s
        p99_s = self.p99_s = percentile(sorted(self.seconds), 0.99)
        self.overdue_after_s = max(FLOOR_S, FACTOR * p99_s)
        self.reference_s = next_reference_s(self.reference_s, p99_s, min(since_s, REFRESH_S))
        self.slow_after_s = slow_after(self.reference_s, self._timeout_s)

    def longest_s(self) -> float:
        """What 99 of 100 of the calls that are kept took at most, however few they are; 0 if there are none."""
        return percentile(sorted(self.seconds), 0.99) if self.seconds else 0.0


def percentile(ordered: list[float], share: float) -> float:
    """The percentile by nearest rank. `ordered` must not be empty; `share` is 0 to 1."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def next_reference_s(reference_s: float, p99_s: float, traffic_s: float) -> float:
    """The reference after `traffic_s` more seconds of traffic: falls at once, at most doubles in `DOUBLING_S`."""
    if reference_s <= 0:
        return p99_s
    return min(p99_s, max(reference_s, FLOOR_S / FACTOR) * 2 ** (traffic_s / DOUBLING_S))


def slow_after(reference_s: float, timeout_s: float = math.inf) -> float:
    """The duration above which a call is slow. `reference_s`: the usual 99th percentile."""
    return max(reference_s, min(max(FLOOR_S, FACTOR * reference_s), TIMEOUT_SHARE * timeout_s))
