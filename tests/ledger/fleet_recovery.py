"""What must come to pass: from wherever a fleet stands, within a time that can be told beforehand.

"Closed within T" is the design's fifth invariant: whatever died, with a healthy service and some traffic the circuit is
closed for all within its current open time + one lease + the successes it needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from ha_rag.circuit.state import CircuitState, Counts
from ha_rag.errors import ServiceError
from tests.ledger.simulated_fleet import SVC, Fleet, Member

DOWN = ServiceError("down", status=500)
CLOSED, OPEN = CircuitState.CLOSED, CircuitState.OPEN

HEARD_S = 1.1 + 0.5
"""A poll comes each 1.1 s at the latest, a lost connection is tried again within 0.5 s."""

NOTICED_S = 1.1 + 2 * (0.25 + 0.5)
"""A ledger that stops to answer: a poll, and two time limits with a pause after each."""

TRIED_S = 1.0 + 0.2
"""A ledger that refused a verb is tried with another one after a second."""

EACH_PROBE_S = {"slow": 0.35}
"""For each good probe: to ask, to call, to tell, and 0.05 s between two calls."""

EVERY_S = 0.05


class Recovery:
    """One fleet, over a Redis that is from now on `up`, `slow` (0.1 s), `gone`, `frozen`, `readonly`, or `as it is`."""

    def __init__(self, fleet: Fleet, redis: str) -> None:
        self.fleet = fleet
        self.redis = redis
        self.shared = redis in ("up", "slow")

    async def closes(self) -> None:
        """The service is healthy from now on: closed for all within T."""
        self._heal()
        self.fleet.down = False
        for member in self.fleet.members:
            member.sick = False
            for call in list(member.calls):
                member.end(call)
        await self._dust_settles()
        within_s, began_s = self.bound_s(), self.fleet.now_s
        while not self._closed_for_all():
            await asyncio.gather(*(m.call() for m in self.fleet.members))
            await asyncio.sleep(EVERY_S)
            self.fleet.check()
            took_s = self.fleet.now_s - began_s
            assert took_s <= within_s, f"not closed for all after {took_s:.2f} s of {within_s:.2f}: {self._states()}"
        if self.shared:
            await self._counts_each_call_once()
            await self._opens_for_all_at_once()

    async def opens(self) -> None:
        """The service is down for all: refused by all as soon as nothing older than the failures is in the window."""
        self._heal()
        self.fleet.down = True
        for member in self.fleet.members:
            for call in list(member.calls):
                member.end(call, DOWN)
        policy = self.fleet.policy
        within_s = self._word_left_s() + policy.window_s + TRIED_S + HEARD_S
        began_s = self.fleet.now_s
        while not self._refused_by_all():
            await asyncio.gather(*(m.call(DOWN) for m in self.fleet.members))
            await asyncio.sleep(EVERY_S)
            self.fleet.check()
            took_s = self.fleet.now_s - began_s
            assert took_s <= within_s, f"not refused by all after {took_s:.2f} s: {self._states()}"

    async def falls_back(self, member: Member) -> None:
        """A replica that sees nothing but failures refuses by itself, whatever the ledger and the others do."""
        policy = self.fleet.policy
        within_s = self._word_left_s() + policy.window_s + 3 * EVERY_S * policy.min_samples
        until_s = self.fleet.now_s + within_s
        while await member.call(DOWN) != "refused":
            await asyncio.sleep(EVERY_S)
            self.fleet.check()
            assert self.fleet.now_s <= until_s, f"{member.name} was let fail for {within_s:.2f} s: {self._states()}"

    # ---- the parts of it --------------------------------------------------------------------------------------------

    def _heal(self) -> None:
        for member in self.fleet.members:
            wire = member.wire
            wire.heal()
            wire.delay_s = 0.05 if self.redis == "slow" else 0.001
            wire.readonly = self.redis == "readonly"
            if self.redis == "gone":
                wire.cut()
            if self.redis == "frozen":
                wire.freeze()

    async def _dust_settles(self) -> None:
        """No call for a while: what was under way has arrived, who has forgotten was taught, who was away is back.

        Nor are there failures left in a window, which could open the circuit with the next good call.
        """
        await asyncio.sleep(HEARD_S + 2 * self.fleet.members[0].wire.delay_s)
        if any(counts.failed for window in self._windows() for counts in window.values()):
            await asyncio.sleep(self.fleet.policy.window_s)
        self.fleet.check()
        if self.shared:
            await self._agrees()

    async def _agrees(self) -> None:
        """Each replica knows of the ledger's latest step, once the word of it has had time to arrive.

        Without a call, too, the ledger may step: a replica whose verbs were refused asks for a probe once a second,
        to see whether they are taken again.
        """
        until_s = self.fleet.now_s + 2 * TRIED_S
        epoch = None
        while epoch != (epoch := self.fleet.ledger.circuit(SVC).epoch):
            assert self.fleet.now_s <= until_s, f"the ledger steps on and on: {self._states()}"
            await asyncio.sleep(self.fleet.members[0].wire.delay_s + 0.01)
        for member in self.fleet.members:
            assert member.view.fleet.epoch == epoch, f"{member.name} and the ledger disagree: {self._states()}"

    def _windows(self) -> list[Mapping[tuple[int, int], Counts]]:
        own = [member.view._overlay.solo.circuit for member in self.fleet.members]
        return [circuit.window for circuit in (self.fleet.ledger.circuit(SVC), *own)]

    def bound_s(self) -> float:
        """How long it may take from here, by what stands in the ledger and in the views."""
        policy = self.fleet.policy
        rest_s = max(self._word_left_s(), *(self._rest_left_s(m) for m in self.fleet.members), self._ledger_rest_s())
        away = any(m.view.away for m in self.fleet.members)
        wait_s = (TRIED_S if away else 0.0) if self.shared else NOTICED_S
        return (
            rest_s + wait_s + self._lease_left_s() + policy.probe_successes * EACH_PROBE_S.get(self.redis, 0.15) + 0.2
        )

    def _word_left_s(self) -> float:
        """Of an operator's word, wherever it is known."""
        now_s = self.fleet.now_s
        word = self.fleet.ledger.circuit(SVC).override
        there_s = (word.until_ms or 0) - self.fleet.ledger_clock.unix_ms() if word else 0
        here = [m.view._stance.fleet.override_until_s - now_s for m in self.fleet.members if m.view.fleet.override]
        return max(0.0, there_s / 1000, *here)

    def _ledger_rest_s(self) -> float:
        circuit = self.fleet.ledger.circuit(SVC)
        left_ms = circuit.open_until_ms - self.fleet.ledger_clock.unix_ms()
        return max(0.0, left_ms / 1000) if circuit.state is OPEN else 0.0

    def _rest_left_s(self, member: Member) -> float:
        now_s, view = self.fleet.now_s, member.view
        fleets_s = (
            view._stance.fleet.rest_until_s - now_s if view.fleet.state is OPEN and not view.fleet.override else 0.0
        )
        own = view._overlay.solo.circuit
        own_s = own.open_until_ms / 1000 - now_s if own.state is OPEN else 0.0
        return max(0.0, fleets_s, own_s)

    def _lease_left_s(self) -> float:
        """Of leases whose replica is dead, or whose word was lost; alone, a replica has given its own."""
        now_ms = self.fleet.ledger_clock.unix_ms()
        own_ms = round(self.fleet.now_s * 1000)
        there = [lease.until_ms - now_ms for lease in self.fleet.ledger.circuit(SVC).leases.values()]
        here = [
            lease.until_ms - own_ms
            for m in self.fleet.members
            for lease in m.view._overlay.solo.circuit.leases.values()
        ]
        return max(0, *there, *here, 0) / 1000

    def _closed_for_all(self) -> bool:
        if any(m.state is not CLOSED for m in self.fleet.members):
            return False
        return not self.shared or self.fleet.ledger.circuit(SVC).state is CLOSED

    def _refused_by_all(self) -> bool:
        return all(m.state is not CLOSED for m in self.fleet.members)

    async def _counts_each_call_once(self) -> None:
        """Nothing is wrong any more: what is counted is what happened, and every replica is in touch."""
        fleet = self.fleet
        until_s = fleet.now_s + TRIED_S + HEARD_S
        while self._spoken() or any(m.breaker.shared_state != "fresh" for m in fleet.members):
            await asyncio.gather(*(m.call() for m in fleet.members))
            await asyncio.sleep(EVERY_S)
            assert fleet.now_s <= until_s, f"not all in touch again: {self._states()}"
        await asyncio.sleep(fleet.policy.window_s + 0.5)
        for member in fleet.members:
            for error in (None, None, None, DOWN):
                await member.call(error)
        await asyncio.sleep(0.5)
        fleet.check()
        counted = sum(fleet.ledger.circuit(SVC).window.values(), Counts())
        assert counted == Counts(3 * len(fleet.members), len(fleet.members)), f"{counted} were counted"

    async def _opens_for_all_at_once(self) -> None:
        """Failures spread over the replicas, each of which sees too few, open the circuit, and all hear of it."""
        fleet = self.fleet
        await asyncio.sleep(fleet.policy.window_s + 0.5)
        for number in range(fleet.policy.min_samples):
            await fleet.members[number % len(fleet.members)].call(DOWN)
        await asyncio.sleep(4 * fleet.members[0].wire.delay_s + 0.01)
        believed = {fleet.ledger.circuit(SVC).state, *(m.view.fleet.state for m in fleet.members)}
        assert believed == {OPEN}, f"not open for all: {self._states()}"

    def _spoken(self) -> bool:
        """Whether an operator's word stands, or has ended and nothing was written since."""
        return self.fleet.ledger.circuit(SVC).override is not None

    def _states(self) -> str:
        now_ms, circuit = self.fleet.ledger_clock.unix_ms(), self.fleet.ledger.circuit(SVC)
        here = [(m.name, m.state.value, m.breaker.shared_state) for m in self.fleet.members]
        told = [(e.epoch - now_ms, e.trigger) for e in self.fleet.ledger.told(SVC)[-5:]]
        return f"Redis {self.redis}, {circuit.state} there, {here}, before that {told}"
