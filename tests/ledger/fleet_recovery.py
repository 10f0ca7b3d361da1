"""Liveness checks: from any state, the fleet recovers within a time that can be computed beforehand.

"Closed within T" is the design's fifth invariant: whatever died, with a healthy service and some traffic the circuit is
closed for all within its current open time + one lease + the successes it needs (`fleet_bounds.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping

from ha_rag.circuit.state import CircuitState, Counts
from ha_rag.errors import ServiceError
from tests.ledger.fleet_bounds import HEARD_S, TRIED_S, Bounds, counted
from tests.ledger.simulated_fleet import SVC, Fleet, Member

DOWN = ServiceError("down", status=500)
CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

EVERY_S = 0.05

SAID_S = 0.01
"""Until the outcomes of probes that have just ended are received: one may be throttled."""


FOR_EVER = 10_000


class Recovery:
    """One fleet, with a Redis that is from now on `up`, `slow` (0.1 s), `gone`, `frozen`, `readonly`, or `as it is`.

    `apart`: members for which Redis is in another condition. `deaf`: members that receive no messages. `sick`: members
    whose calls fail.
    """

    def __init__(
        self,
        fleet: Fleet,
        redis: str,
        *,
        apart: Mapping[Member, str] | None = None,
        deaf: Collection[Member] = (),
        sick: Collection[Member] = (),
    ) -> None:
        self.fleet = fleet
        self.redis = redis
        self.modes = {m: (apart or {}).get(m, redis) for m in fleet.members}
        self.deaf = deaf
        self.sick = sick
        self.healthy = [m for m in fleet.members if m not in sick]
        self.shared = any(self.modes[m] in ("up", "slow") for m in self.healthy)
        self.bounds = Bounds(fleet)

    async def closes(self) -> None:
        """With a healthy service, after a quiet period, all replicas call: the circuit closes for all within T."""
        self._service_recovers()
        self._heal()
        await self._wait_for_quiet()
        await self._close_within(self.bounds.after_a_quiet_period_s(self.redis))
        if self.shared:
            await self._counts_each_call_once()
            if len(self.fleet.members) >= self.fleet.policy.quorum:
                await self._opens_for_all_at_once()

    async def closes_from_here(self) -> None:
        """With a healthy service all replicas call from now on, whatever is in flight."""
        self._service_recovers()
        await asyncio.sleep(SAID_S)
        within_s = self.bounds.from_here_s(self.modes, self.deaf, self.sick)
        self._heal()
        await self._close_within(within_s)
        for member in self.deaf:
            member.wire.lose.clear()

    def _service_recovers(self) -> None:
        self.fleet.down = False
        for member in self.fleet.members:
            member.sick = member in self.sick
            for call in list(member.calls):
                member.end(call, self._error(member))

    async def _close_within(self, within_s: float) -> None:
        began_s = self.fleet.now_s
        while not self._closed_for_all():
            await asyncio.gather(*(m.call(self._error(m)) for m in self.fleet.members))
            await asyncio.sleep(EVERY_S)
            self.fleet.check()
            took_s = self.fleet.now_s - began_s
            assert took_s <= within_s, f"not closed for all after {took_s:.2f} s of {within_s:.2f}: {self._states()}"

    def _error(self, member: Member) -> ServiceError | None:
        return DOWN if member in self.sick else None

    async def opens(self) -> None:
        """With the service down, all replicas refuse once nothing older than the failures is in the window."""
        self._heal()
        self.fleet.down = True
        for member in self.fleet.members:
            for call in list(member.calls):
                member.end(call, DOWN)
        policy = self.fleet.policy
        within_s = self.bounds.override_left_s() + policy.window_s + TRIED_S + HEARD_S
        began_s = self.fleet.now_s
        while not self._refused_by_all():
            await asyncio.gather(*(m.call(DOWN) for m in self.fleet.members))
            await asyncio.sleep(EVERY_S)
            self.fleet.check()
            took_s = self.fleet.now_s - began_s
            assert took_s <= within_s, f"not refused by all after {took_s:.2f} s: {self._states()}"

    async def falls_back(self, member: Member) -> None:
        """A replica that sees only failures trips locally, whatever the ledger and the other replicas do."""
        policy = self.fleet.policy
        within_s = self.bounds.override_left_s() + policy.window_s + 3 * EVERY_S * policy.min_samples
        until_s = self.fleet.now_s + within_s
        while await member.call(DOWN) != "refused":
            await asyncio.sleep(EVERY_S)
            self.fleet.check()
            assert self.fleet.now_s <= until_s, (
                f"{member.name} calls were admitted and failed for {within_s:.2f} s: {self._states()}"
            )

    # ---- steps ------------------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        for member, mode in self.modes.items():
            wire = member.wire
            wire.heal()
            wire.delay_s = 0.05 if mode == "slow" else 0.001
            wire.readonly = mode == "readonly"
            wire.lose += ["message"] * (FOR_EVER if member in self.deaf else 0)
            if mode == "gone":
                wire.cut()
            if mode == "frozen":
                wire.freeze()

    async def _wait_for_quiet(self) -> None:
        """No call for a while: messages have arrived, lost data is restored, and connections are back.

        No failures are left in a window that could open the circuit with the next successful call.
        """
        await asyncio.sleep(HEARD_S + 2 * self.fleet.members[0].wire.delay_s)
        if self.bounds.windows_may_open():
            await asyncio.sleep(self.fleet.policy.window_s)
        self.fleet.check()
        if self.shared:
            await self._agrees()

    async def _agrees(self) -> None:
        """Each replica knows the ledger's latest transition, once its message has had time to arrive.

        The ledger may change without a call: a replica may return a lease that it did not use.
        """
        until_s = self.fleet.now_s + 2 * TRIED_S
        epoch = None
        while epoch != (epoch := self.fleet.ledger.circuit(SVC).epoch):
            assert self.fleet.now_s <= until_s, f"the ledger keeps changing: {self._states()}"
            await asyncio.sleep(self.fleet.members[0].wire.delay_s + 0.01)
        for member in self.fleet.members:
            assert member.view.fleet.epoch == epoch, f"{member.name} and the ledger disagree: {self._states()}"

    def _closed_for_all(self) -> bool:
        if any(m.state is not CLOSED for m in self.healthy):
            return False
        return not self.shared or self.fleet.ledger.circuit(SVC).state is CLOSED

    def _refused_by_all(self) -> bool:
        return all(m.state is not CLOSED for m in self.fleet.members)

    async def _counts_each_call_once(self) -> None:
        """With all faults over, every outcome is counted, and every replica reaches the ledger."""
        fleet = self.fleet
        until_s = fleet.now_s + TRIED_S + HEARD_S
        while self._has_override() or any(m.breaker.shared_state != "fresh" for m in fleet.members):
            await asyncio.gather(*(m.call() for m in fleet.members))
            await asyncio.sleep(EVERY_S)
            assert fleet.now_s <= until_s, f"not all replicas reach the ledger again: {self._states()}"
        await asyncio.sleep(fleet.policy.window_s + 0.5)
        for member in fleet.members:
            for error in (None, None, None, DOWN):
                await member.call(error)
        await asyncio.sleep(0.5)
        fleet.check()
        counts = counted(fleet.ledger.circuit(SVC))
        assert counts == Counts(3 * len(fleet.members), len(fleet.members)), f"{counts} were counted"

    async def _opens_for_all_at_once(self) -> None:
        """Failures spread over the replicas, each of which sees too few, open the circuit, and all learn of it."""
        fleet = self.fleet
        await asyncio.sleep(fleet.policy.window_s + 0.5)
        for number in range(fleet.policy.min_samples):
            await fleet.members[number % len(fleet.members)].call(DOWN)
        await asyncio.sleep(4 * fleet.members[0].wire.delay_s + 0.01)
        cached = {fleet.ledger.circuit(SVC).state, *(m.view.fleet.state for m in fleet.members)}
        assert cached == {OPEN}, f"not open for all: {self._states()}"

    def _has_override(self) -> bool:
        """Whether an override is active, or has ended without a write since."""
        return self.fleet.ledger.circuit(SVC).override is not None

    def _states(self) -> str:
        now_ms, circuit = self.fleet.ledger_clock.unix_ms(), self.fleet.ledger.circuit(SVC)
        here = [(m.name, m.state.value, m.breaker.shared_state) for m in self.fleet.members]
        recent = [(e.epoch - now_ms, e.trigger) for e in self.fleet.ledger.entries(SVC)[-5:]]
        return f"Redis {self.redis}, {circuit.state} in the ledger, {here}, earlier events {recent}"
