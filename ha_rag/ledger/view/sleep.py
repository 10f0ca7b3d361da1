"""Sleep: whether a circuit that no call uses is asleep, so that nothing visits it until its next call.

Safe from any thread: it takes the view's lock.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ha_rag.ledger.view.call_counter import CallCounter
from ha_rag.ledger.view.effective_state import EffectiveState
from ha_rag.ledger.view.gate import Gate
from ha_rag.ledger.view.probe_lease import ProbeLease

IDLE_S = 10.0
"""A circuit falls asleep this long after its last call."""


class Sleep:
    """The sleep of one circuit. `on_wake`: called when a call wakes it, without the lock."""

    def __init__(
        self,
        gate: Gate,
        effective: EffectiveState,
        leases: ProbeLease,
        counter: CallCounter,
        now_s: Callable[[], float],
    ) -> None:
        self._gate = gate
        self._effective = effective
        self._leases = leases
        self._counter = counter
        self._now = now_s
        self._made_s, self._woken_s = now_s(), -math.inf
        self.on_wake: Callable[[], object] = _nothing

    def fall_asleep(self, *, in_use: bool = False) -> bool:
        """Falls asleep if no call has used the circuit for a while and nothing is pending. Returns whether it did.

        `in_use`: even if it is in use. The next call, whatever the state, then wakes it.
        """
        with self._gate.lock:
            now = self._now()
            if not in_use and (not self.is_idle or self._has_pending(now)):
                return False
            self._gate.asleep = True
            self._gate.refresh(now)
            return True

    @property
    def asleep(self) -> bool:
        """Whether it is asleep."""
        return self._gate.asleep

    @property
    def is_idle(self) -> bool:
        """Whether no call has used the circuit for `IDLE_S`."""
        return self._now() - self._used_s >= IDLE_S

    @property
    def idle_s(self) -> float:
        """For how long no call has used the circuit, in seconds, to a time bucket of its window."""
        return self._now() - max(self._used_s, self._made_s)

    @property
    def _used_s(self) -> float:
        return max(self._woken_s, self._gate.used_s, self._counter.tallies.last_end_s)

    def _has_pending(self, now_s: float) -> bool:
        self._counter.drop_old(now_s)
        return (
            self._gate.has_calls
            or self._counter.has_report
            or self._leases.is_busy
            or bool(self._effective.unpublished)
            or self._effective.is_tripped_locally(now_s)
        )

    def wake(self) -> None:
        """A call uses the circuit again."""
        with self._gate.lock:
            if not self.asleep:
                return
            self._woken_s = self._now()
            self._gate.asleep = False
            self._gate.refresh(self._woken_s)
        self.on_wake()


def _nothing() -> None:
    """The default for `on_wake`."""
