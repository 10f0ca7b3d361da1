"""Terms: a policy in whole milliseconds, for calls with one timeout: what the rules and the Lua scripts take."""

from __future__ import annotations

from dataclasses import dataclass, fields

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.streak import MIN_NET_FAILURES

FIELDS_OF_0_1_0 = 13
"""Heartbeats hold terms as 0.1.0 has them, without `blip_ms`."""

NEVER = 2.0
"""A threshold that no rate reaches: for slow calls if `slow_call_s` is 0."""

JITTER_SHARE = 0.1
"""An open duration after a failed recovery grows by up to this share, so that circuits do not recover in step."""


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy as the rules read it. The order of the fields is the order on the wire. Immutable.

    Times in ms, thresholds as shares. `lease_ms`: how long a probe may last. `open_ms`: the first open duration, never
    shorter than a lease, so that probes running when the ledger is lost have ended before the next one begins.
    """

    window_ms: int
    bucket_ms: int
    min_samples: int
    failure_threshold: float
    slow_threshold: float
    quorum: int
    open_ms: int
    backoff: float
    open_max_ms: int
    throttle_max_ms: int
    probes: int
    probe_successes: int
    lease_ms: int
    blip_ms: int = 500

    @classmethod
    def of(cls, policy: CircuitPolicy, timeout_s: float | None = None) -> Terms:
        """The terms of `policy` for calls with a timeout of `timeout_s` (None: no timeout)."""
        lease_ms = policy.lease_ms(timeout_s)
        open_ms = max(round(policy.recovery_timeout_s * 1000), lease_ms)
        return cls(
            window_ms=policy.window_ms,
            bucket_ms=policy.bucket_ms,
            min_samples=policy.min_samples,
            failure_threshold=policy.failure_threshold,
            slow_threshold=NEVER if policy.slow_call_s == 0 else policy.slow_threshold,
            quorum=policy.quorum,
            open_ms=open_ms,
            backoff=policy.recovery_backoff,
            open_max_ms=max(round(policy.recovery_timeout_max_s * 1000), open_ms),
            throttle_max_ms=round(policy.throttle_max_s * 1000),
            probes=policy.probes,
            probe_successes=policy.probe_successes,
            lease_ms=lease_ms,
            blip_ms=round(policy.blip_s * 1000),
        )

    def wire(self) -> tuple[int | float, ...]:
        """The fields in order, as the Lua scripts take them."""
        return tuple(getattr(self, name) for name in _ORDER)

    @classmethod
    def from_wire(cls, numbers: object) -> Terms | None:
        """The inverse of `wire`; None if `numbers` are not valid terms."""
        if not isinstance(numbers, list | tuple) or len(numbers) not in (len(_ORDER), FIELDS_OF_0_1_0):
            return None
        valid = all(isinstance(n, int | float) and not isinstance(n, bool) and 0 <= n < 2**53 for n in numbers)
        return cls(*numbers) if valid and numbers[1] >= 1 else None

    @property
    def has_streaks(self) -> bool:
        """Whether a streak can open the circuit."""
        return self.blip_ms < self.window_ms

    @property
    def longest_open_ms(self) -> int:
        """The longest open duration without an operator's override: repeated openings, or as the service asked."""
        return max(round(self.open_max_ms * (1 + JITTER_SHARE)), self.throttle_max_ms)

    @property
    def min_net_failures(self) -> int:
        """Calls by which failures must outweigh successes for a streak to open the circuit."""
        return max(MIN_NET_FAILURES, self.min_samples)

    def reached(self, failure_rate: float, slow_rate: float) -> bool:
        """Whether either rate is at or above its threshold."""
        return failure_rate >= self.failure_threshold or slow_rate >= self.slow_threshold


_ORDER = tuple(field.name for field in fields(Terms))
