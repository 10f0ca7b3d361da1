"""Retries: another try at the same tier, as far as a budget allows, so that a struggling service is not asked more.

A service that fails a fifth of its calls answers most of those that are asked again; one that fails them all would be
asked twice as often, just when it can least bear it. So retries are at most a share of the calls (M. Brooker, "Fixing
retries with token buckets and circuit breakers", 2022; Finagle's RetryBudget; Google's SRE book, ch. 21 and 22), and
there are none where the circuit is not closed.
"""

from __future__ import annotations

import random

from ha_rag.circuit.policy import CircuitPolicy

SAVED_S = 10.0
"""A budget that nobody draws on saves up what so many seconds bring in, and no more."""

FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0


class RetryBudget:
    """Tokens: each call brings `share` of one, each second `per_s`; a retry costs one. For one event loop.

    Within any time of T seconds there are at most share * calls + per_s * (T + 10 s) retries.
    """

    def __init__(self, share: float, per_s: float) -> None:
        self._share = share
        self._per_s = per_s
        self._most = max(1.0, SAVED_S * per_s)
        self._tokens = min(self._most, per_s)
        self._at_s: float | None = None

    def called(self, now_s: float) -> None:
        """A call that is no retry."""
        self._refill(now_s)
        self._tokens = min(self._most, self._tokens + self._share)

    def take(self, now_s: float) -> bool:
        """Whether there may be a retry now, which is then paid for."""
        self._refill(now_s)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _refill(self, now_s: float) -> None:
        if self._at_s is not None:
            self._tokens = min(self._most, self._tokens + self._per_s * max(0.0, now_s - self._at_s))
        self._at_s = now_s


class Retries:
    """One tier's retries: at most `most` of one call, as long as the budget lasts. For one event loop."""

    def __init__(self, policy: CircuitPolicy) -> None:
        self.most = policy.retries
        self.budget = RetryBudget(policy.retry_budget, policy.retry_budget_per_s)

    @classmethod
    def of(cls, policy: CircuitPolicy) -> Retries | None:
        """None where the policy asks for none."""
        return cls(policy) if policy.retries else None


def pause_s(retry: int) -> float:
    """Seconds to wait before retry number `retry`, from 1: "full jitter", so that callers do not come back together."""
    return random.uniform(0, min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (retry - 1)))
