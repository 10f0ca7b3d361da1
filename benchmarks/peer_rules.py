"""The opening rules of other circuit breakers, with the defaults from their documentation.

    resilience4j  CircuitBreakerConfig: the last 100 calls, at least 100, 50 %; or a window of time (10 s here)
    Polly         CircuitBreakerStrategyOptions: 10 % of at least 100 calls within 30 s
    Hystrix       HystrixCommandProperties: 50 % of at least 20 calls within 10 s, checked every 0.5 s
    Sentinel      ExceptionCircuitBreaker: 50 % of at least 5 calls within one second, which begins anew
    Envoy         outlier detection: consecutive_5xx, 5 in a row; pybreaker's fail_max is the same rule

Each rule gets all calls of the fleet as they end, as if one process made them, which is more than it sees in practice.
The windows slide continuously here; the originals use buckets of about a second.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from benchmarks.simulated_calls import Call


class Rule(Protocol):
    """Decides when a circuit opens. A new instance has no history."""

    def opens(self, at_s: float, failed: bool) -> bool:
        """Counts a call that ended. Returns whether the circuit opens."""
        ...


class LastCalls:
    """A share of failures in the last `size` calls, once there were that many."""

    def __init__(self, size: int, share: float) -> None:
        self._share = share
        self._last: deque[bool] = deque(maxlen=size)
        self._failed = 0

    def opens(self, at_s: float, failed: bool) -> bool:
        last, size = self._last, self._last.maxlen or 0
        self._failed += failed - (last[0] if len(last) == size else 0)
        last.append(failed)
        return len(last) == size and self._failed >= self._share * size


class TimeWindow:
    """A share of failures in the last `span_s` seconds, once there are `min_calls` calls.

    `every_s`: interval between checks; 0: at each call. `tumbling`: the window restarts every `span_s`.
    """

    def __init__(self, span_s: float, min_calls: int, share: float, *, every_s: float = 0.0, tumbling: bool = False):
        self._span_s, self._min_calls, self._share = span_s, min_calls, share
        self._every_s, self._tumbling = every_s, tumbling
        self._checked_s = -math.inf
        self._ended: deque[tuple[float, bool]] = deque()
        self._failed = 0

    def opens(self, at_s: float, failed: bool) -> bool:
        self._ended.append((at_s, failed))
        self._failed += failed
        since_s = at_s // self._span_s * self._span_s if self._tumbling else at_s - self._span_s
        while self._ended[0][0] < since_s:
            self._failed -= self._ended.popleft()[1]
        if at_s - self._checked_s < self._every_s:
            return False
        self._checked_s = at_s
        return len(self._ended) >= self._min_calls and self._failed >= self._share * len(self._ended)


class ConsecutiveFailures:
    """`need` failures in a row."""

    def __init__(self, need: int) -> None:
        self._need = need
        self._count = 0

    def opens(self, at_s: float, failed: bool) -> bool:
        self._count = self._count + 1 if failed else 0
        return self._count >= self._need


PEERS: dict[str, Callable[[], Rule]] = {
    "resilience4j, last 100 calls": lambda: LastCalls(100, 0.5),
    "resilience4j, 10 s window": lambda: TimeWindow(10.0, 100, 0.5),
    "Polly": lambda: TimeWindow(30.0, 100, 0.1),
    "Hystrix": lambda: TimeWindow(10.0, 20, 0.5, every_s=0.5),
    "Sentinel": lambda: TimeWindow(1.0, 5, 0.5, tumbling=True),
    "Envoy, pybreaker: 5 in a row": lambda: ConsecutiveFailures(5),
}

OPEN_S = 10.0
"""Open duration."""


def openings(make: Callable[[], Rule], by_end: Iterable[Call]) -> Iterator[float]:
    """The times at which the circuit opens. `by_end`: calls ordered by their end.

    Calls that start while it is open are skipped; then it starts afresh.
    """
    rule, open_until_s = make(), -math.inf
    for call in by_end:
        if call.start_s >= open_until_s and rule.opens(call.end_s, not call.ok):
            yield call.end_s
            rule, open_until_s = make(), call.end_s + OPEN_S
