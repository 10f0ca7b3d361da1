"""Streak detection: notices an outage before the successes from before it have left the window.

Page's CUSUM with a minimum duration. Failures add to the sum; successes subtract, at twice the weight that the
threshold gives them. The circuit opens once failures have outweighed successes by `MIN_NET_FAILURES` calls for
`blip_ms`. The state is three numbers at any traffic; they are 0 for a healthy service, which costs the ledger nothing.

    rate needed   on average a streak grows only above a failure rate of 2t / (1 + t): 67 % for t = 0.5
    false trips   at 20 % failures and 100 calls/s 0.0016 per day, even without a minimum duration (Brook and
                  Evans, 1972); `benchmarks/detection.py` has the table
    blips         an outage shorter than `blip_ms` opens nothing, at any traffic

Sources: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954); docs/decisions/0008. Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_NET_FAILURES = 14
"""Calls by which failures must outweigh successes (`min_samples` if that is more)."""

WEIGHT = 2
"""The weight of a success, as a multiple of what the threshold alone gives it."""


@dataclass(frozen=True, slots=True)
class Streak:
    """The failures and successes of one streak, and when it began (ledger ms)."""

    bad: int = 0
    good: int = 0
    since_ms: int = 0


EMPTY = Streak()


def grown(streak: Streak, now_ms: int, bad: int, good: int, threshold: float, window_ms: int) -> Streak:
    """The streak after a report of `bad` and `good` calls. `bad` is below 0 when overdue calls have succeeded.

    It resets once successes outweigh failures, or when it is as old as the window.
    """
    if streak.bad == 0 or now_ms - streak.since_ms >= window_ms:
        streak = Streak(since_ms=now_ms)
    after = Streak(max(0, streak.bad + bad), streak.good + good, streak.since_ms)
    return after if _outweighs(after.bad, after.good, threshold) else EMPTY


def opens(streak: Streak, now_ms: int, bad: int, good: int, threshold: float, need: int, blip_ms: int) -> bool:
    """Whether a streak, after a report of `bad` and `good` calls, opens the circuit.

    It needs `need` net failures and must have lasted for `blip_ms`, and this report must have made it grow.
    """
    is_growing = _outweighs(bad, good, threshold)
    return is_growing and has_net_failures(streak, need, threshold) and now_ms - streak.since_ms >= blip_ms


def has_net_failures(streak: Streak, failures: int, threshold: float) -> bool:
    """Whether failures outweigh successes by at least `failures` calls."""
    return streak.bad >= failures and not _outweighs(failures - streak.bad, -streak.good, threshold)


def _outweighs(bad: int, good: int, threshold: float) -> bool:
    return (1 - threshold) * bad > WEIGHT * threshold * good
