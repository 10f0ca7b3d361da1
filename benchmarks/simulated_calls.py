"""Simulated calls: start, end, outcome and replica of each. Seeded by the caller."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Numbers = Any
"""A numpy array of floats."""

Latency = Callable[[np.random.Generator, Numbers], Numbers]
"""Durations in seconds of successful calls that start at these times."""

FAILS_IN_S = 0.005
"""Duration of a call that is refused or answered with an error; usually shorter than a successful one."""


class Call(NamedTuple):
    """One call. Times in seconds. `hit`: whether the fault affected it."""

    start_s: float
    end_s: float
    ok: bool
    replica: int
    hit: bool


@dataclass(frozen=True)
class Fault:
    """A fault of a service that lasts `lasts_s` seconds.

    `failing`: share of calls that fail at once. `hangs`: calls, including those in flight, end only at their timeout.
    `takes_s`: duration of successful calls; 0: as usual. `timeout_s`: the callers' timeout.
    """

    title: str
    failing: float = 0.0
    hangs: bool = False
    takes_s: float = 0.0
    timeout_s: float = 8.0
    lasts_s: float = math.inf


HEALTHY = Fault("healthy")


def lognormal(median_s: float = 0.05, sigma: float = 0.5) -> Latency:
    """Lognormal latencies; with the default sigma the 99th percentile is 3.2 times the median."""
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
    """Calls at random times from 0 to `until_s`, `rate` per second, ordered by start. The fault starts at `fault_s`.

    `failing`: share of calls that fail while the service is healthy.
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
