"""How long a probe may last if its call has no timeout: as long as the service itself needs, as far as that is known.

A fixed limit would fail every probe of a service that is healthy but slower than that. The limit is the longest of

    the policy's             10 s, or `recovery_timeout_s` if that is shorter
    the service's own        three times the 99th percentile of its recent calls in this process
    half of the open time    it grows with every failed recovery, so a process without a past finds a limit that is
                             long enough, and a lease never delays a recovery by more than the open time itself

With a timeout of the calls, or `probe_timeout_s`, that is the limit.
"""

from __future__ import annotations

from ha_rag.circuit.latency import FACTOR, RecentLatency
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.terms import Terms

OPEN_SHARE = 0.5
"""The part of the open time that a probe may last. A replica whose probe failed waits for two leases."""


class ProbeTime:
    """The time limits of one circuit's probes. Times in ms. Not locked: the view holds the lock.

    `is_imposed`: whether neither the calls nor the policy say how long a probe may last.
    """

    def __init__(self, policy: CircuitPolicy, terms: Terms, timeout_s: float | None, latency: RecentLatency) -> None:
        self._timeout_s = timeout_s
        self._latency = latency
        self.set_policy(policy, terms)

    def set_policy(self, policy: CircuitPolicy, terms: Terms) -> None:
        """Limits probes by another policy from now on."""
        self.is_imposed = self._timeout_s is None and policy.probe_timeout_s is None
        self._terms = terms

    def lease_ms(self, open_count: int) -> int:
        """How long the next probe may last. `open_count`: how often the circuit has opened without recovering."""
        terms = self._terms
        if not self.is_imposed:
            return terms.lease_ms
        open_ms = min(terms.open_ms * terms.backoff ** min(max(0, open_count - 1), 64), terms.open_max_ms)
        return max(terms.lease_ms, round(OPEN_SHARE * open_ms), self._own_ms())

    def _own_ms(self) -> int:
        """By the service's past: at most the longest open time more than what its calls take."""
        usual_ms = 1000 * self._latency.longest_s()
        return round(min(FACTOR * usual_ms, usual_ms + self._terms.open_max_ms))
