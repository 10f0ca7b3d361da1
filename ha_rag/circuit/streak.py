"""The streak: how a circuit notices a service that has died before old successes have left the window.

Page's CUSUM with a minimum duration. Each failure adds evidence, each success takes away twice what the threshold gives
it, and the circuit opens once the failures outweigh the successes by `MIN_NET_FAILURES` calls and have done so for `blip_ms`.
Three numbers, whatever the traffic; a healthy service keeps them at 0, so it costs the ledger nothing.

    rate needed   on average a streak grows only above a failure rate of 2t / (1 + t): 67 % for t = 0.5
    false trips   at 20 % failures and 100 calls/s 0.0016 a day by chance, even without a minimum duration (Brook and
                  Evans, 1972); `benchmarks/detection.py` has the table
    blips         a complete failure shorter than `blip_ms` opens nothing, at any traffic

Sources: E. S. Page, "Continuous inspection schemes", Biometrika 41 (1954); docs/decisions/0008. Pure functions.
"""

from __future__ import annotations

from dataclasses import dataclass

MIN_NET_FAILURES = 14
"""Calls by which failures must outweigh successes (more where `min_samples` is more)."""

WEIGHT = 2
"""How many times a success weighs what the threshold alone would give it."""


@dataclass(frozen=True, slots=True)
class Streak:
    """Failures and successes of one streak, and when it began (ledger ms). The empty one has seen nothing."""

    bad: int = 0
    good: int = 0
    since_ms: int = 0


EMPTY = Streak()


def grown(streak: Streak, now_ms: int, bad: int, good: int, threshold: float, window_ms: int) -> Streak:
    """The streak after a report of `bad` and `good` calls. `bad` may be below 0: calls that were overdue and succeeded.

    Empty again once the successes outweigh the failures, or when it is as old as the window.
    """
    if streak.bad == 0 or now_ms - streak.since_ms >= window_ms:
        streak = Streak(since_ms=now_ms)
    after = Streak(max(0, streak.bad + bad), streak.good + good, streak.since_ms)
    return after if _outweighs(after.bad, after.good, threshold) else EMPTY


def opens(streak: Streak, now_ms: int, bad: int, good: int, threshold: float, need: int, blip_ms: int) -> bool:
    """Whether a streak, grown by a report of `bad` and `good`, opens the circuit.

    It must be long enough in calls (`need`) and in time (`blip_ms`), and this report must have made it longer.
    """
    rising = _outweighs(bad, good, threshold)
    return rising and has_net_failures(streak, need, threshold) and now_ms - streak.since_ms >= blip_ms


def has_net_failures(streak: Streak, failures: int, threshold: float) -> bool:
    """Whether failures outweigh successes by at least so many: a replica that sees them votes for opening."""
    return streak.bad >= failures and not _outweighs(failures - streak.bad, -streak.good, threshold)


def _outweighs(bad: int, good: int, threshold: float) -> bool:
    return (1 - threshold) * bad > WEIGHT * threshold * good
