"""Slow start and load shedding: admitting only a share of calls to a closed circuit.

Slow start (`ramp_s`) limits calls for a while after closing. Shedding (`shed`) refuses a share of them during a
brownout, when the failure rate is high but below the threshold. Both are off by default.

Each call is decided at random; an operator's override takes precedence. Not locked: the view holds the lock.
"""

from __future__ import annotations

from collections.abc import Callable

from ha_rag.circuit.admission import ramp_share, shed_share
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts
from ha_rag.ledger.view.effective_state import EffectiveState


class LoadShedding:
    """Decides which calls of one circuit to refuse. `draw`: a random number in [0, 1). Times in monotonic seconds."""

    def __init__(self, policy: CircuitPolicy, effective: EffectiveState, draw: Callable[[], float]) -> None:
        self._policy = policy
        self._effective = effective
        self._draw = draw

    def set_policy(self, policy: CircuitPolicy) -> None:
        """Decides by another policy from now on."""
        self._policy = policy

    def applies(self, now_s: float) -> bool:
        """Whether calls may be refused, so that each needs `refuses`."""
        return self._policy.shed or self._closed_for_s(now_s) < self._policy.ramp_s

    def refuses(self, now_s: float) -> bool:
        """Whether to refuse this call."""
        if self._effective.fleet.mode(now_s) is not None:
            return False
        share = ramp_share(self._policy, self._closed_for_s(now_s))
        if self._policy.shed:
            share *= shed_share(self._policy, self._counts(now_s))
        return share < 1.0 and self._draw() >= share

    def _closed_for_s(self, now_s: float) -> float:
        return now_s - max(self._effective.fleet.closed_at_s, self._effective.local_trip.closed_at_s)

    def _counts(self, now_s: float) -> Counts:
        """The fleet's counts; those of this replica if it decides alone."""
        effective = self._effective
        alone = effective.ledger_unreachable or effective.replica_only
        return effective.local_trip.read(now_s).counts if alone else effective.fleet.snapshot.counts
