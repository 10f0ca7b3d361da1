"""Retries of the same tier, within a budget, so that retries do not overload a struggling service.

If a service fails a fifth of its calls, most retries succeed; if it fails all of them, retries only double its load.
So a budget limits retries to a share of the calls (M. Brooker, "Fixing retries with token buckets and circuit
breakers", 2022; Finagle's RetryBudget; Google's SRE book, ch. 21 and 22), and they stop unless the circuit is closed.
"""

from __future__ import annotations

from ha_rag import chance
from ha_rag.circuit.policy import CircuitPolicy

BURST_S = 10.0
"""An unused budget accumulates at most the tokens of this many seconds."""

FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 1.0


class RetryBudget:
    """A token bucket: each call adds `share` tokens, each second `per_s`; a retry takes one. For one event loop.

    In any period of T seconds there are at most share * calls + per_s * (T + 10 s) retries.
    """

    def __init__(self, share: float, per_s: float) -> None:
        self._share = share
        self._per_s = per_s
        self._capacity = max(1.0, BURST_S * per_s)
        self._tokens = min(self._capacity, per_s)
        self._at_s: float | None = None

    def called(self, now_s: float) -> None:
        """Adds tokens for a call that is not a retry."""
        self._refill(now_s)
        self._tokens = min(self._capacity, self._tokens + self._share)

    def take(self, now_s: float) -> bool:
        """Takes a token for a retry. Returns whether there was one."""
        self._refill(now_s)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._tokens = min(self._capacity, self._tokens + self._per_s * max(0.0, now_s - self._at_s))
        self._at_s = now_s


class Retries:
    """One tier's retries: at most `max_per_call` for each call, within the budget. For one event loop."""

    def __init__(self, policy: CircuitPolicy) -> None:
        self.max_per_call = policy.retries
        self.budget = RetryBudget(policy.retry_budget, policy.retry_budget_per_s)

    @classmethod
    def of(cls, policy: CircuitPolicy) -> Retries | None:
        """The policy's retries; None if it has none."""
        return cls(policy) if policy.retries else None


def pause_s(retry: int) -> float:
    """Seconds to wait before retry number `retry` (from 1), with full jitter so that callers do not retry in step."""
    return chance.between(0, min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** (retry - 1)))
