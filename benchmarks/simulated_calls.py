"""Calls for simulations: when each begins and ends, how it ends, and which replica makes it. Seeded by the caller."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Numbers = Any
"""A numpy array of floats."""

Latency = Callable[[np.random.Generator, Numbers], Numbers]
"""Seconds that good calls take which begin at these moments."""

FAILS_IN_S = 0.005
"""How long a call takes that is refused or answered with an error: less than a good one, as a rule."""


class Call(NamedTuple):
    """One call. Times in seconds. `hit`: whether the fault has to do with how it ended."""

    start_s: float
    end_s: float
    ok: bool
    replica: int
    hit: bool


@dataclass(frozen=True)
class Fault:
    """What happens to a service, from a moment on and for `lasts_s` seconds.

    `failing`: share of calls that fail at once. `hangs`: no call ends before its timeout, nor do those in flight.
    `takes_s`: how long good calls take; 0: as long as usual. `timeout_s`: the callers' own.
    """

    title: str
    failing: float = 0.0
    hangs: bool = False
    takes_s: float = 0.0
    timeout_s: float = 8.0
    lasts_s: float = math.inf


HEALTHY = Fault("healthy")


def lognormal(median_s: float = 0.05, sigma: float = 0.5) -> Latency:
    """Latencies around a median; with the default sigma 99 of 100 take at most 3.2 times as long."""
    return lambda rng, starts: median_s * np.exp(sigma * rng.standard_normal(len(starts)))


USUAL = lognormal()


def calls(
    rng: np.random.Generator,
    rate: float,
    until_s: float,
    fault: Fault = HEALTHY,
    fault_s: float = math.inf,
    *,
    failing: float = 0.01,
    latency: Latency = USUAL,
    replicas: int = 3,
) -> list[Call]:
    """Calls at random moments, `rate` a second, from 0 to `until_s`, by start. The fault begins at `fault_s`.

    `failing`: share of calls that fail while the service is well.
    """
    start = np.sort(rng.uniform(0.0, until_s, rng.poisson(rate * until_s)))
    takes_s = latency(rng, start)
    during = (start >= fault_s) & (start < fault_s + fault.lasts_s)
    if fault.takes_s:
        takes_s = np.where(during, fault.takes_s, takes_s)
    failed = rng.random(len(start)) < np.where(during, max(failing, fault.failing), failing)
    takes_s = np.where(failed, FAILS_IN_S, takes_s)
    if fault.hangs:
        during |= (start < fault_s) & (start + takes_s > fault_s)
        takes_s = np.where(during, fault.timeout_s, takes_s)
    failed |= takes_s >= fault.timeout_s
    end = start + np.minimum(takes_s, fault.timeout_s)
    replica = rng.integers(0, replicas, len(start))
    columns = (start.tolist(), end.tolist(), (~failed).tolist(), replica.tolist(), during.tolist())
    return [Call(*row) for row in zip(*columns, strict=True)]
