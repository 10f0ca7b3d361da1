"""A Hypothesis state machine over a simulated fleet: each rule is one fault or action, followed by `Fleet.check`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from dataclasses import replace
from typing import ClassVar

from hypothesis import event, target
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ha_rag.circuit.state import OverrideMode
from ha_rag.errors import LedgerError, ServiceError, ThrottledError
from tests.ledger.fleet_recovery import Recovery
from tests.ledger.openings import OPENINGS
from tests.ledger.simulated_fleet import QUICK, SVC, Call, Fleet, Member
from tests.ledger.situations import situations
from tests.ledger.virtual_ledgers import Make, VirtualMemoryLedger

DOWN = ServiceError("down", status=500)
REST = ThrottledError("slow down", retry_after_s=1.5, status=429)

SLOW_S = 0.3
HOW = st.sampled_from(["", "", "", "cancelled", "invalid"])

PICK = st.integers(min_value=0, max_value=5)
LOSSES = [f"{verb}{way}" for verb in ("record", "lease", "settle", "read", "restore") for way in "<>"] + ["message"]
APART = st.sampled_from([None, None, "up", "gone", "frozen", "readonly"])
REDIS = st.sampled_from(["up", "up", "up", "slow", "gone", "frozen", "readonly"])


class FleetMachine(RuleBasedStateMachine):
    """Begins at `opening` (`openings.py`), on the kind of ledger that `ledger` creates."""

    opening: ClassVar[str]
    ledger: ClassVar[Make] = VirtualMemoryLedger
    fleet: Fleet

    @initialize(
        replicas=st.integers(2, 4), probes=st.integers(1, 2), successes=st.integers(1, 2), quorum=st.integers(1, 2),
        slow=st.booleans(), hasty=st.booleans(),
    )  # fmt: skip
    def begin(self, replicas: int, probes: int, successes: int, quorum: int, slow: bool, hasty: bool) -> None:
        """`slow`: calls may be too slow. `hasty`: the policy's open duration is shorter than a lease."""
        policy = replace(QUICK, probes=probes, probe_successes=successes, quorum=quorum)
        if slow:
            policy = replace(policy, slow_call_s=SLOW_S, slow_threshold=0.6)
        if hasty:
            policy = replace(policy, recovery_timeout_s=0.5, probe_timeout_s=None)
        self.fleet = Fleet(replicas, policy, 0.01 if hasty else None, ledger=type(self).ledger)
        self.joined = replicas
        self.met: set[str] = set()
        self.fleet.run(self._opened())

    async def _opened(self) -> None:
        await OPENINGS[self.opening](self.fleet)

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.close()
            target(len(self.met), label="situations")
            for situation in self.met:
                event(situation)

    # ---- choices ----------------------------------------------------------------------------------------------------

    @property
    def awake(self) -> list[Member]:
        return [m for m in self.fleet.members if not m.wire.paused]

    def member(self, pick: int) -> Member:
        return self.awake[pick % len(self.awake)]

    def ends(self, member: Member) -> ServiceError | None:
        """The outcome of a call made now."""
        return DOWN if self.fleet.down or member.sick else None

    def calls(self) -> list[Call]:
        return [call for member in self.awake for call in member.calls]

    async def _call(self, members: list[Member], times: int, every_s: float = 0.0, how: str = "") -> None:
        for _ in range(times):
            await asyncio.gather(*(m.call(self.ends(m), how=how) for m in members))
            await asyncio.sleep(every_s)

    # ---- calls ------------------------------------------------------------------------------------------------------

    @rule(pick=PICK, times=st.integers(1, 4), how=HOW)
    def one_replica_calls(self, pick: int, times: int, how: str) -> None:
        self.fleet.run(self._call([self.member(pick)], times, how=how))

    @rule(times=st.integers(2, 12), every_s=st.sampled_from([0.01, 0.06, 0.2]))
    def all_replicas_call(self, times: int, every_s: float) -> None:
        self.fleet.run(self._call(self.awake, times, every_s))

    @rule(pick=PICK)
    def the_service_throttles_one_replica(self, pick: int) -> None:
        self.fleet.run(self.member(pick).call(REST))

    @rule()
    def the_service_goes_down_or_comes_back(self) -> None:
        self.fleet.down = not self.fleet.down

    @rule(pick=PICK)
    def one_replica_is_cut_off_from_the_service_or_no_longer(self, pick: int) -> None:
        member = self.member(pick)
        member.sick = not member.sick

    @precondition(lambda self: any(len(m.calls) < 4 for m in self.awake))
    @rule(pick=PICK, everybody=st.booleans())
    def calls_begin(self, pick: int, everybody: bool) -> None:
        free = [m for m in self.awake if len(m.calls) < 4]
        self.fleet.run(self._begin(free if everybody else [free[pick % len(free)]]))

    @staticmethod
    async def _begin(members: list[Member]) -> None:
        await asyncio.gather(*(m.begin() for m in members))

    @precondition(lambda self: self.calls())
    @rule(pick=PICK, error=st.sampled_from([None, DOWN]), how=HOW)
    def a_call_ends(self, pick: int, error: Exception | None, how: str) -> None:
        calls = self.calls()
        self.fleet.run(self._end(calls[pick % len(calls)], error, how))

    @precondition(lambda self: any(call.probe for call in self.calls()))
    @rule(pick=PICK, error=st.sampled_from([None, DOWN]), how=HOW)
    def a_probe_ends(self, pick: int, error: Exception | None, how: str) -> None:
        probes = [call for call in self.calls() if call.probe]
        self.fleet.run(self._end(probes[pick % len(probes)], error, how))

    @staticmethod
    async def _end(call: Call, error: Exception | None, how: str) -> None:
        call.member.end(call, error, how=how)
        await asyncio.sleep(0)

    @precondition(lambda self: self.fleet.policy.slow_call_s)
    @rule(pick=PICK, everybody=st.booleans(), times=st.integers(1, 3))
    def calls_take_too_long(self, pick: int, everybody: bool, times: int) -> None:
        self.fleet.run(self._call_slowly(self.awake if everybody else [self.member(pick)], times))

    async def _call_slowly(self, members: list[Member], times: int) -> None:
        calls = [await m.begin() for m in members for _ in range(times)]
        await asyncio.sleep(SLOW_S + 0.01)
        for call in filter(None, calls):
            call.member.end(call, self.ends(call.member))

    # ---- time -------------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.002, 0.03, 0.11, 0.4, 0.6]))
    def time_passes(self, seconds: float) -> None:
        self.fleet.run(asyncio.sleep(seconds))

    @rule(seconds=st.sampled_from([1.05, 1.05, 2.5]))
    def much_time_passes(self, seconds: float) -> None:
        self.fleet.run(asyncio.sleep(seconds))

    # ---- the ledger and the connections -----------------------------------------------------------------------------

    @rule(pick=PICK, what=st.sampled_from(LOSSES))
    def something_gets_lost(self, pick: int, what: str) -> None:
        self.member(pick).wire.lose.append(what)

    @rule(pick=PICK, what=st.sampled_from(["record", "lease", "settle", "restore", "message"]))
    def something_arrives_twice(self, pick: int, what: str) -> None:
        self.member(pick).wire.twice.append(what)

    @rule(pick=PICK, delay_s=st.sampled_from([0.001, 0.02, 0.05, 0.1]), jitter_s=st.sampled_from([0.0, 0.02, 0.3]))
    def a_wire_is_slow_or_quick(self, pick: int, delay_s: float, jitter_s: float) -> None:
        wire = self.member(pick).wire
        wire.delay_s, wire.jitter_s = delay_s, jitter_s

    @rule(pick=PICK, everybody=st.booleans())
    def the_ledger_becomes_unreachable(self, pick: int, everybody: bool) -> None:
        for member in self.fleet.members if everybody else [self.member(pick)]:
            member.wire.cut()

    @rule(reads=st.booleans())
    def the_ledger_freezes_or_only_reads(self, reads: bool) -> None:
        for member in self.fleet.members:
            member.wire.readonly |= reads
            if not reads:
                member.wire.freeze()

    @precondition(lambda self: any(m.wire.gone or m.wire.frozen or m.wire.readonly for m in self.fleet.members))
    @rule()
    def the_ledger_comes_back(self) -> None:
        for member in self.fleet.members:
            member.wire.repair()
            member.wire.thaw()
            member.wire.readonly = False

    @precondition(lambda self: self.fleet.ledger.circuit(SVC).epoch)
    @rule()
    def the_ledger_is_flushed(self) -> None:
        self.fleet.flush()

    @precondition(lambda self: self.fleet.ledger.has_scripts)
    @rule()
    def the_ledger_loses_its_scripts(self) -> None:
        self.fleet.forget_scripts()

    @rule()
    def the_ledger_is_copied(self) -> None:
        self.fleet.copy()

    @rule(ahead_ms=st.sampled_from([0, 0, -3000, -700, 400, 3000]))
    def the_ledger_fails_over(self, ahead_ms: int) -> None:
        self.fleet.failover(ahead_ms)

    @precondition(lambda self: any(m.view.fleet.epoch for m in self.fleet.members))
    @rule(pick=PICK, in_ms=st.integers(1, 3), mode=st.sampled_from([None, *OverrideMode]))
    def the_ledger_fails_over_into_a_conflict(self, pick: int, in_ms: int, mode: OverrideMode | None) -> None:
        """The next transition within this many ms gets an epoch that a replica knows for another transition."""
        cached = max(m.view.fleet.epoch for m in self.fleet.members)
        self.fleet.failover(cached - in_ms - self.fleet.ledger_clock.unix_ms())
        self._speak(self.member(pick), mode, 0.3)
        self.fleet.run(asyncio.sleep(0.01))

    # ---- operators --------------------------------------------------------------------------------------------------

    @rule(pick=PICK, mode=st.sampled_from([*OverrideMode, None]), for_s=st.sampled_from([0.3, 1.5]))
    def an_operator_sets_an_override(self, pick: int, mode: OverrideMode | None, for_s: float) -> None:
        self._speak(self.member(pick), mode, for_s)

    def _speak(self, member: Member, mode: OverrideMode | None, for_s: float) -> None:
        registry = member.registry
        if mode is None:
            self.fleet.run(self._send(registry.end_override(SVC, by="me")))
        else:
            self.fleet.run(self._send(registry.override(SVC, mode, reason="test", by="me", for_s=for_s)))

    @staticmethod
    async def _send(verb: Awaitable[object]) -> None:
        with contextlib.suppress(LedgerError):
            await verb

    # ---- the replicas -----------------------------------------------------------------------------------------------

    @rule(pick=PICK)
    def a_replica_crashes_and_is_replaced(self, pick: int) -> None:
        self.fleet.run(self._replaced(self.member(pick)))

    async def _replaced(self, member: Member) -> None:
        away = member.wire.gone
        await self.fleet.remove_dead(member)
        self.joined += 1
        new = await self.fleet.join(f"n{self.joined}")
        if away:
            new.wire.cut()

    @precondition(lambda self: len(self.awake) > 1)
    @rule(pick=PICK)
    def a_replica_dies(self, pick: int) -> None:
        """Kills a member without a replacement."""
        self.fleet.run(self.fleet.remove_dead(self.member(pick)))

    @precondition(lambda self: len(self.awake) > 1)
    @rule(pick=PICK)
    def a_replica_is_paused(self, pick: int) -> None:
        self.member(pick).wire.pause()

    @precondition(lambda self: len(self.awake) < len(self.fleet.members))
    @rule()
    def paused_replicas_resume(self) -> None:
        for member in self.fleet.members:
            member.wire.resume()

    # ---- invariants -------------------------------------------------------------------------------------------------

    @rule(redis=REDIS)
    def a_healthy_service_and_some_traffic_close_the_circuit(self, redis: str) -> None:
        self.fleet.run(Recovery(self.fleet, redis).closes())

    @rule(redis=REDIS, pick=PICK, apart=APART, deaf=st.booleans(), sick=st.booleans())
    def a_healthy_service_and_some_traffic_close_it_from_here(
        self, redis: str, pick: int, apart: str | None, deaf: bool, sick: bool
    ) -> None:
        """One replica may reach another Redis, receive no messages, or be sick when the quorum is two."""
        first, second, third = (self.fleet.members[(pick + n) % len(self.fleet.members)] for n in range(3))
        outvoted = sick and self.fleet.policy.quorum > 1 and len(self.fleet.members) > 1
        recovery = Recovery(
            self.fleet,
            redis,
            apart={first: apart} if apart else {},
            deaf=[second] if deaf else [],
            sick=[third] if outvoted else [],
        )
        self.fleet.run(recovery.closes_from_here())

    @rule(redis=REDIS)
    def all_replicas_refuse_while_the_service_is_down(self, redis: str) -> None:
        self.fleet.run(Recovery(self.fleet, redis).opens())

    @rule(pick=PICK)
    def a_replica_that_sees_only_failures_trips_locally(self, pick: int) -> None:
        self.fleet.run(Recovery(self.fleet, "as it is").falls_back(self.member(pick)))

    @invariant()
    def the_invariants_hold(self) -> None:
        if hasattr(self, "fleet"):
            self.fleet.check()
            self.met |= situations(self.fleet)
