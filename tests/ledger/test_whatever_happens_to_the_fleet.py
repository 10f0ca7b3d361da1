"""Whatever dies, is lost, late, doubled, paused, flushed or refused, in whatever order: what must hold, holds.

Real registries, views and syncs over one MemoryLedger; only the wires and the service are simulated, in virtual time.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerError, ServiceError, ThrottledError
from tests.ledger.simulated_fleet import OPEN, QUICK, SVC, Fleet, Member

DOWN = ServiceError("down", status=500)
REST = ThrottledError("slow down", retry_after_s=1.5, status=429)

PICK = st.integers(min_value=0, max_value=1_000)
LOSSES = [f"{verb}{way}" for verb in ("record", "lease", "settle", "read", "teach") for way in "<>"] + ["message"]


class WhateverHappens(RuleBasedStateMachine):
    """Each rule is one thing that can happen to a fleet; each step ends with the checks of `Fleet.check`."""

    fleet: Fleet

    @initialize(
        replicas=st.integers(2, 3),
        probes=st.integers(1, 2),
        successes=st.integers(1, 2),
        quorum=st.integers(1, 2),
        so_far=st.sampled_from(["nothing", "open", "half-open", "probing"]),
    )
    def begin(self, replicas: int, probes: int, successes: int, quorum: int, so_far: str) -> None:
        facts = {name: getattr(QUICK, name) for name in QUICK.__dataclass_fields__}
        facts |= {"probes": probes, "probe_successes": successes, "quorum": quorum}
        self.fleet = Fleet(replicas, CircuitPolicy(**facts))
        self.joined = replicas
        self.down = so_far != "nothing"
        if self.down:
            self.fleet.run(self._outage(so_far))

    async def _outage(self, so_far: str) -> None:
        await self._calls(self.fleet.members, 3)
        await asyncio.sleep(0.2)
        assert self.fleet.ledger.circuit(SVC).state is OPEN
        if so_far != "open":
            await asyncio.sleep(1.0)
        if so_far == "probing":
            assert await self.fleet.members[0].begin()

    async def _calls(self, members: list[Member], times: int, every_s: float = 0.0) -> None:
        for _ in range(times):
            await asyncio.gather(*(m.call(DOWN if self.down else None) for m in members if not m.wire.paused))
            await asyncio.sleep(every_s)

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.close()

    def member(self, pick: int) -> Member:
        awake = [m for m in self.fleet.members if not m.wire.paused] or self.fleet.members
        return awake[pick % len(awake)]

    # ---- calls ------------------------------------------------------------------------------------------------------

    @rule(pick=PICK, times=st.integers(1, 4))
    def one_replica_calls(self, pick: int, times: int) -> None:
        self.fleet.run(self._calls([self.member(pick)], times))

    @rule(times=st.integers(2, 12), every_s=st.sampled_from([0.01, 0.06, 0.2]))
    def everybody_calls(self, times: int, every_s: float) -> None:
        self.fleet.run(self._calls(self.fleet.members, times, every_s))

    @rule(pick=PICK)
    def the_service_asks_one_for_a_rest(self, pick: int) -> None:
        member = self.member(pick)
        if not member.wire.paused:
            self.fleet.run(member.call(REST))

    @rule()
    def the_service_goes_down_or_comes_back(self) -> None:
        self.down = not self.down

    @rule(pick=PICK)
    def a_call_begins(self, pick: int) -> None:
        member = self.member(pick)
        if not member.wire.paused and len(member.calls) < 4:
            self.fleet.run(member.begin())

    @rule()
    def everybody_begins_a_call(self) -> None:
        self.fleet.run(self._begin([m for m in self.fleet.members if not m.wire.paused and len(m.calls) < 4]))

    @staticmethod
    async def _begin(members: list[Member]) -> None:
        await asyncio.gather(*(m.begin() for m in members))

    @rule(pick=PICK, error=st.sampled_from([None, DOWN]), how=st.sampled_from(["", "", "cancelled", "invalid"]))
    def a_call_ends(self, pick: int, error: Exception | None, how: str) -> None:
        calls = [c for m in self.fleet.members for c in m.calls if not m.wire.paused]
        if calls:
            call = calls[pick % len(calls)]
            self.fleet.run(self._end(call, error, how))

    @staticmethod
    async def _end(call: Any, error: Exception | None, how: str) -> None:
        call.member.end(call, error, how="" if call.probe else how)
        await asyncio.sleep(0)

    # ---- time -------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.002, 0.03, 0.11, 0.4, 1.05, 1.05, 2.5]))
    def time_passes(self, seconds: float) -> None:
        self.fleet.run(asyncio.sleep(seconds))

    # ---- the ledger and the wires -----------------------------------------------------------------------------------

    @rule(pick=PICK, what=st.sampled_from(LOSSES))
    def something_gets_lost(self, pick: int, what: str) -> None:
        self.member(pick).wire.lose.append(what)

    @rule(pick=PICK, what=st.sampled_from(["record", "lease", "settle", "teach", "message"]))
    def something_comes_twice(self, pick: int, what: str) -> None:
        self.member(pick).wire.twice.append(what)

    @rule(pick=PICK, delay_s=st.sampled_from([0.001, 0.02, 0.1]), jitter_s=st.sampled_from([0.0, 0.02, 0.3]))
    def a_wire_is_slow_or_quick(self, pick: int, delay_s: float, jitter_s: float) -> None:
        wire = self.member(pick).wire
        wire.delay_s, wire.jitter_s = delay_s, jitter_s

    @rule(pick=PICK, everybody=st.booleans())
    def the_ledger_goes_away(self, pick: int, everybody: bool) -> None:
        for member in self.fleet.members if everybody else [self.member(pick)]:
            member.wire.cut()

    @rule()
    def the_ledger_freezes(self) -> None:
        for member in self.fleet.members:
            member.wire.freeze()

    @rule()
    def the_ledger_only_reads(self) -> None:
        for member in self.fleet.members:
            member.wire.readonly = True

    @rule()
    def the_ledger_comes_back(self) -> None:
        for member in self.fleet.members:
            member.wire.mend()
            member.wire.thaw()
            member.wire.readonly = False

    @rule()
    def the_ledger_is_flushed(self) -> None:
        self.fleet.flush()

    @rule()
    def the_ledger_is_copied(self) -> None:
        self.fleet.copy()

    @rule()
    def the_ledger_fails_over(self) -> None:
        self.fleet.failover()

    # ---- operators --------------------------------------------------------------------------------------------------

    @rule(pick=PICK, mode=st.sampled_from(list(OverrideMode)), for_s=st.sampled_from([0.3, 1.5]))
    def an_operator_says(self, pick: int, mode: OverrideMode, for_s: float) -> None:
        member = self.member(pick)
        if not member.wire.paused:
            self.fleet.run(self._said(member.registry.override(SVC, mode, reason="test", by="me", for_s=for_s)))

    @rule(pick=PICK)
    def an_operator_takes_it_back(self, pick: int) -> None:
        member = self.member(pick)
        if not member.wire.paused:
            self.fleet.run(self._said(member.registry.end_override(SVC, by="me")))

    @staticmethod
    async def _said(word: Awaitable[object]) -> None:
        with contextlib.suppress(LedgerError):
            await word

    # ---- the replicas -----------------------------------------------------------------------------------------------

    @rule(pick=PICK)
    def a_replica_crashes_and_is_replaced(self, pick: int) -> None:
        self.fleet.run(self._replaced(self.member(pick)))

    async def _replaced(self, member: Member) -> None:
        away = member.wire.gone
        await self.fleet.bury(member)
        self.joined += 1
        new = await self.fleet.join(f"r{self.joined}")
        if away:
            new.wire.cut()

    @precondition(lambda self: sum(not m.wire.paused for m in self.fleet.members) > 1)
    @rule(pick=PICK)
    def a_replica_is_paused(self, pick: int) -> None:
        self.member(pick).wire.pause()

    @rule()
    def the_paused_wake_up(self) -> None:
        for member in self.fleet.members:
            member.wire.resume()

    # ---- what must hold ---------------------------------------------------------------------------------------------

    @rule(redis=st.sampled_from(["up", "up", "slow", "gone", "frozen", "readonly"]))
    def a_healthy_service_and_some_traffic_close_the_circuit(self, redis: str) -> None:
        for member in self.fleet.members:
            member.wire.heal()
            member.wire.readonly = redis == "readonly"
            member.wire.delay_s = 0.05 if redis == "slow" else 0.001
            if redis == "gone":
                member.wire.cut()
            if redis == "frozen":
                member.wire.freeze()
            for call in list(member.calls):
                member.end(call)
        self.down = False
        self.fleet.run(self.fleet.closes(within_s=self.bound_s(redis)))

    def bound_s(self, redis: str) -> float:
        """An operator's word, the longest rest, two lives of a lease, and for each good probe a poll and a bit."""
        policy = self.fleet.policy
        return 1.5 + policy.recovery_timeout_max_s + 2 * 1.0 + policy.probe_successes * 1.2 + 2.0

    @invariant()
    def what_must_always_hold_holds(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.check()


TestWhateverHappens = WhateverHappens.TestCase
TestWhateverHappens.settings = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
