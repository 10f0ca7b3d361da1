"""How often a replica talks to the ledger. Intervals grow with the fleet, so that all replicas together stay below a
fixed number of scripts per second, whatever the number of requests.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

REPORTS_PER_S = 1000.0
"""Fleet-wide limit on reports."""

READS_PER_S = 500.0
"""Fleet-wide limit on polls, heartbeats, and attempts to reconnect or subscribe (each)."""

LEASES_PER_S = 500.0
"""Fleet-wide limit on lease requests for each circuit."""

REPLICA_REPORTS_PER_S = 50.0
"""Limit on one replica's reports, as long as that delays none by more than a time bucket of its window."""

POLL_S = 1.0
BEAT_S = 1.0
TRIAL_S, TRIALS = 1.0, 5
RETRY_S = (0.05, 0.5)
"""Bounds of the random retry delay in a small fleet, in seconds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """The intervals of one replica among `replicas`, each reporting on `circuits`. Immutable."""

    replicas: int = 1
    circuits: int = 1

    @property
    def poll_s(self) -> float:
        """Seconds between two polls."""
        return max(POLL_S, self.replicas / READS_PER_S)

    @property
    def beat_s(self) -> float:
        """Seconds between two heartbeats."""
        return max(BEAT_S, self.replicas / READS_PER_S)

    @property
    def retry_s(self) -> tuple[float, float]:
        """Bounds of the random retry delay, in seconds.

        Grows with the fleet: fast retries by many replicas could keep an overloaded Redis from recovering.
        """
        mean_s = self.replicas / READS_PER_S
        return max(RETRY_S[0], 0.5 * mean_s), max(RETRY_S[1], 1.5 * mean_s)

    @property
    def trial_s(self) -> float:
        """Seconds between two rounds of trials of a ledger that refuses verbs, each of up to `TRIALS` refused ones."""
        return max(TRIAL_S, TRIALS * self.replicas / READS_PER_S)

    def report_s(self, flush_interval_s: float) -> float:
        """Seconds between two reports on one circuit."""
        return max(flush_interval_s, self.replicas * self.circuits / REPORTS_PER_S)

    def calm_report_s(self, flush_interval_s: float, bucket_s: float) -> float:
        """Seconds between two reports on one circuit of outcomes that need not be reported at once.

        `bucket_s`: the width of the window's buckets, below which a delay makes no difference to the window.
        """
        shared_out_s = min(self.circuits / REPLICA_REPORTS_PER_S, bucket_s)
        return max(self.report_s(flush_interval_s), shared_out_s)

    @property
    def spread_s(self) -> float:
        """Seconds over which the replicas spread requests that they would otherwise all send at once."""
        return self.replicas / LEASES_PER_S


class TokenBucket:
    """A token bucket: holds `size` tokens, refilled at `per_s` per second. Not locked: used on one event loop."""

    def __init__(self, size: float = 10.0, per_s: float = 10.0) -> None:
        self._size = size
        self._per_s = per_s
        self._tokens, self._at_s = 0.0, -math.inf

    def take(self, now_s: float, slower: float = 1.0) -> bool:
        """Takes a token; returns whether there was one. `slower`: divides size and refill rate in a large fleet."""
        refill = (now_s - self._at_s) * self._per_s / slower
        self._tokens, self._at_s = min(max(1.0, self._size / slower), self._tokens + refill), now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
