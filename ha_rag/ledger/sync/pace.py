"""How often a replica talks to the ledger, so that Redis's load grows neither with requests nor without bound with
replicas: all of them together stay below a fixed number of scripts a second.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

REPORTS_PER_S = 1000.0
"""Reports, fleet-wide, once the fleet is large enough to need a limit."""

READS_PER_S = 500.0
"""Polls, heartbeats, and tries to find a lost ledger again or to listen to it: so many of each, fleet-wide."""

LEASES_PER_S = 500.0
"""Requests for a probe, fleet-wide and for each circuit."""

POLL_S = 1.0
BEAT_S = 1.0
RETRY_S = (0.05, 0.5)
"""Between these many seconds, by chance, what went wrong is tried again in a small fleet."""


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
        """Between these many seconds, by chance, what went wrong is tried again: a herd that does so as fast as one
        replica may keeps a ledger down that only was too slow.
        """
        mean_s = self.replicas / READS_PER_S
        return max(RETRY_S[0], 0.5 * mean_s), max(RETRY_S[1], 1.5 * mean_s)

    def report_s(self, flush_interval_s: float) -> float:
        """Seconds between two reports on one circuit."""
        return max(flush_interval_s, self.replicas * self.circuits / REPORTS_PER_S)

    @property
    def spread_s(self) -> float:
        """Over how long the replicas spread requests that they would all make at once."""
        return self.replicas / LEASES_PER_S


class Burst:
    """A bucket of tokens: `size` at once, refilled `per_s` a second. Not locked: used on one event loop."""

    def __init__(self, size: float = 10.0, per_s: float = 10.0) -> None:
        self._size = size
        self._per_s = per_s
        self._tokens, self._at_s = 0.0, -math.inf

    def take(self, now_s: float, slower: float = 1.0) -> bool:
        """Takes a token if there is one. `slower`: by how much size and refill shrink in a large fleet."""
        refill = (now_s - self._at_s) * self._per_s / slower
        self._tokens, self._at_s = min(max(1.0, self._size / slower), self._tokens + refill), now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True
