"""When other circuit breakers open, by the defaults that their documents give.

    resilience4j  CircuitBreakerConfig: the last 100 calls, at least 100, 50 %; or a window of time (10 s here)
    Polly         CircuitBreakerStrategyOptions: 10 % of at least 100 calls within 30 s
    Hystrix       HystrixCommandProperties: 50 % of at least 20 calls within 10 s, looked at every 0.5 s
    Sentinel      ExceptionCircuitBreaker: 50 % of at least 5 calls within one second, which begins anew
    Envoy         outlier detection: consecutive_5xx, 5 in a row; pybreaker's fail_max is the same rule

Each is given all calls of the fleet as they end, as if one process made them: more than any of them sees in a fleet.
Their windows slide smoothly here, where the originals' move in buckets of a second or so.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from benchmarks.simulated_calls import Call


class Law(Protocol):
    """Decides when a circuit opens; a new one has seen nothing."""

    def opens(self, at_s: float, failed: bool) -> bool:
        """Counts a call that ended, and says whether the circuit opens."""
        ...


class LastCalls:
    """A share of the last `size` calls, once there were so many."""

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
    """A share of the calls of the last `span_s` seconds, of which there must be `least`.

    `every_s`: how often it looks; 0: with each call. `tumbling`: the window begins anew every `span_s`.
    """

    def __init__(self, span_s: float, least: int, share: float, *, every_s: float = 0.0, tumbling: bool = False):
        self._span_s, self._least, self._share = span_s, least, share
        self._every_s, self._tumbling = every_s, tumbling
        self._looked_s = -math.inf
        self._ended: deque[tuple[float, bool]] = deque()
        self._failed = 0

    def opens(self, at_s: float, failed: bool) -> bool:
        self._ended.append((at_s, failed))
        self._failed += failed
        since_s = at_s // self._span_s * self._span_s if self._tumbling else at_s - self._span_s
        while self._ended[0][0] < since_s:
            self._failed -= self._ended.popleft()[1]
        if at_s - self._looked_s < self._every_s:
            return False
        self._looked_s = at_s
        return len(self._ended) >= self._least and self._failed >= self._share * len(self._ended)


class InARow:
    """So many failures with no success between them."""

    def __init__(self, need: int) -> None:
        self._need = need
        self._row = 0

    def opens(self, at_s: float, failed: bool) -> bool:
        self._row = self._row + 1 if failed else 0
        return self._row >= self._need


PEERS: dict[str, Callable[[], Law]] = {
    "resilience4j, last 100 calls": lambda: LastCalls(100, 0.5),
    "resilience4j, 10 s window": lambda: TimeWindow(10.0, 100, 0.5),
    "Polly": lambda: TimeWindow(30.0, 100, 0.1),
    "Hystrix": lambda: TimeWindow(10.0, 20, 0.5, every_s=0.5),
    "Sentinel": lambda: TimeWindow(1.0, 5, 0.5, tumbling=True),
    "Envoy, pybreaker: 5 in a row": lambda: InARow(5),
}

REST_S = 10.0
"""How long a circuit rests each time."""


def openings(make: Callable[[], Law], by_end: Iterable[Call]) -> Iterator[float]:
    """When the circuit opens, in order. `by_end`: calls in the order of their end.

    Calls that begin while it rests are not made; afterwards it begins anew.
    """
    law, rests_until_s = make(), -math.inf
    for call in by_end:
        if call.start_s >= rests_until_s and law.opens(call.end_s, not call.ok):
            yield call.end_s
            law, rests_until_s = make(), call.end_s + REST_S
