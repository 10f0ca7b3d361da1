"""What a circuit's own recent past says of its calls: when one is overdue, and when one is slow.

Both come from the 99th percentile of its last good calls, and neither applies before there were `MIN_CALLS` of them, so a
fresh circuit of a slow model is never judged by it.

    overdue   longer in flight than max(0.25 s, 3 x p99). The percentile follows the service at once: what counts as
              overdue takes itself back when it succeeds.
    slow      longer than max(0.25 s, 3 x reference), at most half of the timeout, never less than the reference. The
              reference is the same percentile, but may only double in `DOUBLING_S` seconds of traffic: a brownout does
              not become normal while it lasts, and a service that changes for good is followed within minutes.

Floats are seconds. Not locked: the view holds the lock. docs/decisions/0008 has the simulations behind the numbers.
"""

from __future__ import annotations

import math
from collections import deque

MAX_CALLS = 512
"""Good calls that are remembered."""

MIN_CALLS = 100
"""Good calls before any is judged by the others."""

FLOOR_S = 0.25
"""Nothing shorter is overdue or slow."""

FACTOR = 3.0
"""How many times the 99th percentile is too long."""

TIMEOUT_SHARE = 0.5
"""A call that takes more than this share of its timeout is slow, unless that is what the service usually takes."""

DOUBLING_S = 300.0
"""How long it takes at least until twice the latency counts as normal."""

REFRESH_S = 1.0
"""How often the percentile is worked out at most, and how much traffic a quiet moment counts for."""


class RecentLatency:
    """The latencies of one circuit's last good calls. `timeout_s`: the calls' own, None where they have none.

    `seconds`: append a good call's latency. `overdue_after_s`, `slow_after_s`: infinity while nothing can be said.
    """

    __slots__ = ("_reference_s", "_refreshed_s", "_seen", "_timeout_s", "overdue_after_s", "seconds", "slow_after_s")

    def __init__(self, timeout_s: float | None) -> None:
        self.seconds: deque[float] = deque(maxlen=MAX_CALLS)
        self.overdue_after_s = self.slow_after_s = math.inf
        self._timeout_s = math.inf if timeout_s is None else timeout_s
        self._reference_s = 0.0
        self._refreshed_s = -math.inf
        self._seen: object = None

    def refresh(self, now_s: float) -> None:
        """Works both out again, if there were good calls since and the last time is a while ago."""
        since_s = now_s - self._refreshed_s
        if since_s < REFRESH_S or len(self.seconds) < MIN_CALLS or self.seconds[-1] is self._seen:
            return
        self._seen, self._refreshed_s = self.seconds[-1], now_s
        p99_s = percentile(sorted(self.seconds), 0.99)
        self.overdue_after_s = max(FLOOR_S, FACTOR * p99_s)
        self._reference_s = next_reference_s(self._reference_s, p99_s, min(since_s, REFRESH_S))
        self.slow_after_s = slow_after(self._reference_s, self._timeout_s)


def percentile(ordered: list[float], share: float) -> float:
    """The value below which that share of the `ordered` ones lie (nearest rank). There must be one."""
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)]


def next_reference_s(reference_s: float, p99_s: float, traffic_s: float) -> float:
    """The reference after `traffic_s` more seconds of traffic: down at once, up by doubling in `DOUBLING_S`."""
    if reference_s <= 0:
        return p99_s
    return min(p99_s, max(reference_s, FLOOR_S / FACTOR) * 2 ** (traffic_s / DOUBLING_S))


def slow_after(reference_s: float, timeout_s: float = math.inf) -> float:
    """After how many seconds a call is slow, where 99 of 100 usually take no longer than `reference_s`."""
    return max(reference_s, min(max(FLOOR_S, FACTOR * reference_s), TIMEOUT_SHARE * timeout_s))
