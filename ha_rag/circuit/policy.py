"""CircuitPolicy: when a circuit opens, for how long, and what closes it again."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from ha_rag.errors import ConfigurationError

BUCKETS = 10
"""Time buckets per window: the window slides in steps of a tenth of its length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitPolicy:
    """The rules of one circuit. Immutable, validated here; safe to share.

    Opening. A circuit opens when the window of `window_s` seconds holds at least `min_samples` outcomes of the whole
    fleet, the failure rate is at or above `failure_threshold` (or the slow-call rate at or above `slow_threshold`),
    and at least `quorum` replicas see it. It opens sooner on a streak: failures have outweighed successes by 14 calls
    for at least `blip_s` (a shorter outage opens nothing; `blip_s` >= `window_s` turns streaks off).
    A call is slow if it took longer than `slow_call_s`. "auto": a threshold learned from the service's recent latency
    (`circuit/latency.py`). 0: never.

    Open duration. `recovery_timeout_s` at first, multiplied by `recovery_backoff` after each failed recovery, at most
    `recovery_timeout_max_s`, plus up to 10 % of jitter; never shorter than a probe may last. If the service asks for
    a pause (429, or 503 with Retry-After), exactly that, at most `throttle_max_s`.

    Closing. At most `probes` probes at a time in the whole fleet; `probe_successes` successful ones close the circuit.
    A probe may last for its call's timeout plus 1 s, or for `probe_timeout_s` if the call has none (default: 10 s, or
    `recovery_timeout_s` if that is shorter; longer if the service's calls take longer: `circuit/probe_time.py`).

    Reporting. Outcomes go to Redis every `flush_interval_s`, and at once on a failure.

    Optional, off by default: `ramp_s` > 0 admits 10, 25, 50 and then 100 % of calls in the quarters of that time after
    closing; `shed` refuses a share of calls below the threshold (SRE book, ch. 21). `retries`: how often a pipeline
    tries a call again at the same tier after a transient failure (no connection, a 5xx), only while the circuit is
    closed; all retries together are at most `retry_budget` of the tier's calls plus `retry_budget_per_s` per second.

    Sources: M. Nygard, Release It! (2nd ed., 2018), ch. 5; the names follow resilience4j and Polly.
    Raises ConfigurationError naming the field, the value and the rule.
    """

    failure_threshold: float = 0.5
    slow_call_s: float | Literal["auto"] = "auto"
    slow_threshold: float = 0.5
    min_samples: int = 5
    window_s: float = 10.0
    blip_s: float = 0.5
    recovery_timeout_s: float = 10.0
    recovery_backoff: float = 2.0
    recovery_timeout_max_s: float = 120.0
    probes: int = 1
    probe_successes: int = 2
    quorum: int = 1
    probe_timeout_s: float | None = None
    throttle_max_s: float = 60.0
    flush_interval_s: float = 0.1
    ramp_s: float = 0.0
    shed: bool = False
    retries: int = 0
    retry_budget: float = 0.2
    retry_budget_per_s: float = 1.0

    def __post_init__(self) -> None:
        problems = [p for field in fields(self) if (p := _problem(field.name, getattr(self, field.name)))]
        if not problems:
            problems = [text for broken, text in self._relations() if broken]
        if problems:
            raise ConfigurationError(*problems)

    def _relations(self) -> list[tuple[bool, str]]:
        longest = self.recovery_timeout_max_s
        return [
            (
                longest < self.recovery_timeout_s,
                f"recovery_timeout_max_s = {longest:g}: must be at least recovery_timeout_s "
                f"({self.recovery_timeout_s:g}), because the open duration grows from one to the other",
            ),
            (
                self.probe_timeout_s is not None and self.probe_timeout_s > self.recovery_timeout_s,
                f"probe_timeout_s = {self.probe_timeout_s}: must be at most recovery_timeout_s "
                f"({self.recovery_timeout_s:g}), so that no probe outlasts it",
            ),
        ]

    @property
    def window_ms(self) -> int:
        """The window's length in ms."""
        return round(self.window_s * 1000)

    @property
    def bucket_ms(self) -> int:
        """The length of one time bucket in ms."""
        return max(1, self.window_ms // BUCKETS)

    def lease_ms(self, timeout_s: float | None) -> int:
        """How long a probe may last, in ms. `timeout_s`: the call's timeout, None if it has none."""
        if timeout_s is not None:
            return round(timeout_s * 1000) + 1000
        default_s = min(10.0, self.recovery_timeout_s) if self.probe_timeout_s is None else self.probe_timeout_s
        return round(default_s * 1000)


_SHARES = {"failure_threshold", "slow_threshold"}
_COUNTS = {"min_samples", "probes", "probe_successes", "quorum"}
_FROM_ZERO = {"slow_call_s", "ramp_s", "retry_budget_per_s", "blip_s"}
MAX_COUNT = 1_000_000
MAX_RETRIES = 10
_LIMITS = {
    "window_s": (0.1, 86_400.0),
    "flush_interval_s": (0.005, 60.0),
    "recovery_backoff": (1.0, 100.0),
    "retry_budget": (0.0, 1.0),
}


def _problem(name: str, value: object) -> str | None:
    """What is wrong with one field's value, or None."""
    if name == "slow_call_s" and value == "auto":
        return None
    if name == "shed":
        return None if isinstance(value, bool) else f"shed = {value!r}: must be true or false"
    if name in _COUNTS:
        good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_COUNT
        return None if good else f"{name} = {value!r}: must be a whole number from 1 to {MAX_COUNT}"
    if name == "retries":
        good = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_RETRIES
        return None if good else f"retries = {value!r}: must be a whole number from 0 to {MAX_RETRIES}"
    if name == "probe_timeout_s" and value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return f"{name} = {value!r}: must be a number"
    if name in _SHARES:
        return (
            None if 0 < value <= 1 else f"{name} = {value!r}: must be above 0 and at most 1 (a share, not a percentage)"
        )
    low, high = _LIMITS.get(name, (0.0, 86_400.0))
    if name in _LIMITS:
        return None if low <= value <= high else f"{name} = {value!r}: must be between {low:g} and {high:g}"
    above = value >= 0 if name in _FROM_ZERO else value > 0
    return (
        None
        if above and value <= high
        else f"{name} = {value!r}: must be {'at least' if name in _FROM_ZERO else 'above'} 0 and at most {high:g}"
    )
