"""Helpers for tests of a view: a view with a manual clock, and replies of a ledger."""

from __future__ import annotations

from typing import Any

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.reply import Reply
from ha_rag.circuit.snapshot import Snapshot
from ha_rag.circuit.state import CircuitState, OperatorOverride, OverrideMode
from ha_rag.clock import ManualClock
from ha_rag.ledger.view.probe_lease import Grant
from ha_rag.ledger.view.refused import Refused
from ha_rag.ledger.view.tallies import Epochs
from ha_rag.ledger.view.view import View

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN

REDIS_MS = 1_700_000_000_000
"""The ledger's time when a test begins."""

POLICY = CircuitPolicy(min_samples=4, window_s=10.0, recovery_timeout_s=10.0, probe_successes=1)


class OneView(View):
    """A view connected to its ledger, and its clock. Nothing is random: `draw` is 0 unless given."""

    def __init__(self, policy: CircuitPolicy = POLICY, *, away: bool = False, **facts: Any) -> None:
        self.clock = ManualClock()
        facts = {"replica": "r1", "draw": lambda: 0.0, **facts}
        super().__init__("svc", policy, clock=self.clock, **facts)
        self.began_s = self.clock.now_s
        self.set_ledger_unreachable(away)

    @property
    def ledger_ms(self) -> int:
        """The ledger's current time."""
        return REDIS_MS + round((self.clock.now_s - self.began_s) * 1000)

    def snapshot(self, state: CircuitState = CLOSED, epoch: int = 0, **facts: Any) -> Snapshot:
        """A snapshot as the ledger would send it now."""
        facts = {"now_ms": self.ledger_ms, **facts}
        return Snapshot(state=state, epoch=epoch, **facts)

    def receives(self, state: CircuitState, epoch: int, **facts: Any) -> None:
        self.apply_reply(self.snapshot(state, epoch, **facts))

    def make_override(self, mode: OverrideMode, for_ms: int | None = None) -> OperatorOverride:
        return OperatorOverride(mode, "because", "me", None if for_ms is None else self.ledger_ms + for_ms)

    # ---- calls ------------------------------------------------------------------------------------------------------

    def admitted(self) -> Epochs:
        """A call that is admitted."""
        if self.gate.passing is not None:
            return self.gate.passing
        answer = self.gate.admit()
        assert isinstance(answer, Epochs), answer
        return answer

    def refused(self) -> Refused:
        """A call that is refused."""
        answer = self.gate.admit()
        assert isinstance(answer, Refused), answer
        return answer

    def probes(self) -> Grant:
        """A call that may probe."""
        answer = self.gate.admit()
        assert isinstance(answer, Grant), answer
        return answer

    def fails(self, times: int = 1) -> None:
        for _ in range(times):
            self.gate.failed(self.admitted(), self.clock.now_s)

    def succeeds(self, times: int = 1) -> None:
        for _ in range(times):
            self.gate.succeeded(self.admitted(), self.clock.now_s)

    # ---- leases -----------------------------------------------------------------------------------------------------

    def granted(self, epoch: int, token: str = "t1", *, asked_s: float | None = None) -> Grant | None:
        """The ledger grants the requested lease. Returns what is to be returned."""
        self.receives(HALF_OPEN, epoch)
        reply = Reply(self.snapshot(HALF_OPEN, epoch), granted=True)
        return self.lease_answered(reply, token, self.clock.now_s if asked_s is None else asked_s)

    def denied(self, wait_ms: int, epoch: int | None = None) -> None:
        epoch = self.fleet.epoch if epoch is None else epoch
        reply = Reply(self.snapshot(HALF_OPEN, epoch), granted=False, wait_ms=wait_ms)
        self.lease_answered(reply, "t1", self.clock.now_s)
