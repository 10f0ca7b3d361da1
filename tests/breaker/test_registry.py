"""CircuitRegistry: breakers by name, reports, overrides, sinks, and its use in synchronous programs."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import OverrideMode
from ha_rag.clock import ManualClock
from ha_rag.errors import (
    CircuitOpenError,
    ConfigurationError,
    LedgerUnavailableError,
    ServiceError,
    UnknownCircuitError,
)
from ha_rag.events import CircuitChanged, WouldOpen
from ha_rag.ledger.store.memory import MemoryLedger
from tests.breaker.one_breaker import CLOSED, HALF_OPEN, OPEN, POLICY, OneBreaker
from tests.ledger.simulated_fleet import SVC, Fleet
from tests.waiting import PATIENCE_S

DOWN = ServiceError("down", status=500)


# ---- by name --------------------------------------------------------------------------------------------------------


def test_the_same_name_is_the_same_breaker() -> None:
    registry = CircuitRegistry.connect(replica="r1")
    assert registry.breaker("svc", POLICY) is registry.breaker("svc")
    assert registry.breaker("svc", POLICY) is registry.breaker("svc", POLICY)
    assert registry.breaker("other") is not registry.breaker("svc")


def test_a_second_policy_for_one_name_is_refused() -> None:
    registry = CircuitRegistry.connect(replica="r1")
    registry.breaker("svc", POLICY)
    with pytest.raises(ConfigurationError, match="already has a different policy"):
        registry.breaker("svc", CircuitPolicy(min_samples=99))


@pytest.mark.parametrize("name", ["", "x" * 513, "a\nb", "a\x1b[2J", "a\u202eb"])
def test_a_name_that_cannot_be_printed_on_one_line_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError):
        CircuitRegistry.connect(replica="r1").breaker(name)


def test_threads_may_create_circuits_while_others_read() -> None:
    registry = CircuitRegistry.connect(replica="r1")
    stop = threading.Event()
    errors: list[Exception] = []

    def read() -> None:
        try:
            while not stop.is_set():
                registry.snapshot()
                _ = registry.shared_state
                registry._body()
        except Exception as error:  # any error fails the test
            errors.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    makers = [
        threading.Thread(target=lambda n=n: [registry.breaker(f"c{i % 40}-{n % 2}") for i in range(200)])
        for n in range(4)
    ]
    for thread in readers + makers:
        thread.start()
    for thread in makers:
        thread.join()
    stop.set()
    for thread in readers:
        thread.join()
    assert not errors
    assert len(registry.snapshot()) == 80


def test_without_redis_every_circuit_is_local() -> None:
    one = OneBreaker()
    assert one.breaker.scope == "replica"
    assert one.registry.shared_state == "local"


# ---- reports --------------------------------------------------------------------------------------------------------


def test_a_report_describes_an_open_circuit() -> None:
    one = OneBreaker()
    one.permit().ok()
    one.fails(3)
    (report,) = one.registry.snapshot()
    assert (report.name, report.state, report.scope, report.open_count) == ("svc", OPEN, "replica", 1)
    assert report.recovers_in_s == pytest.approx(10.0)
    assert report.reason == "3 of 4 failed, 0 slow"
    assert report.changed_at == pytest.approx(one.clock.now_s)
    assert report.override is None
    assert report.here is None
    one.clock.advance(10.1)
    (report,) = one.registry.snapshot()
    assert report.state is HALF_OPEN
    assert report.recovers_in_s is None


def test_a_report_has_the_rates_of_a_closed_circuit() -> None:
    one = OneBreaker(CircuitPolicy(min_samples=100))
    for _ in range(3):
        one.permit().ok()
    one.permit().failed()
    (report,) = one.registry.snapshot()
    assert (report.samples, report.failure_rate, report.state) == (4, 0.25, CLOSED)
    assert report.changed_at is None


async def test_an_override_is_reported_until_it_ends() -> None:
    one = OneBreaker()
    report = await one.registry.override("svc", "open", reason="deploy", by="me", for_s=30.0)
    assert report.state is OPEN
    assert report.override is not None
    assert (report.override.mode, report.override.reason, report.override.by) == ("open", "deploy", "me")
    assert report.override.left_s == pytest.approx(30.0)
    one.clock.advance(31)
    (report,) = one.registry.snapshot()
    assert report.override is None
    assert report.state is HALF_OPEN


def test_every_replica_reports_the_same_fleet_state_and_its_own_difference() -> None:
    fleet = Fleet(2)

    async def scenario() -> None:
        a, b = fleet.members
        for _ in range(30):
            await b.call()
        await asyncio.sleep(0.3)
        for _ in range(3):
            await a.call(DOWN)
        await asyncio.sleep(0.3)
        reports = [await m.registry.circuits() for m in (a, b)]
        assert reports[0][0].state is reports[1][0].state is CLOSED
        assert reports[0][0].samples == reports[1][0].samples == 33
        assert reports[0][0].voters == ("r0",)
        here = reports[0][0].here
        assert here is not None
        assert (here.state, here.why) == (OPEN, "overlay")
        assert reports[1][0].here is None

    with fleet:
        fleet.run(scenario())


def test_a_report_read_from_the_ledger_updates_the_replica() -> None:
    """A report read from the ledger also updates the replica's cached state, even if the push was lost."""
    fleet = Fleet(2)

    async def scenario() -> None:
        a, b = fleet.members
        b.wire.lose.append("message")
        for _ in range(3):
            await a.call(DOWN)
        await asyncio.sleep(0.1)
        assert b.breaker.state is CLOSED
        (shown,) = await b.registry.circuits()
        assert shown.state is b.breaker.state is OPEN

    with fleet:
        fleet.run(scenario())


def test_without_its_ledger_a_replica_reports_its_cached_state() -> None:
    fleet = Fleet(1)

    async def scenario() -> None:
        (a,) = fleet.members
        for _ in range(3):
            await a.call(DOWN)
        await asyncio.sleep(0.1)
        a.wire.cut()
        (report,) = await a.registry.circuits()
        assert report.state is OPEN
        replicas = await a.registry.fleet()
        assert [r.name for r in replicas.replicas] == ["r0"]
        assert (replicas.shared_state, replicas.reason) == ("local", "gone")

    with fleet:
        fleet.run(scenario())


def test_the_fleet_report_lists_every_replica_even_two_of_one_name() -> None:
    fleet = Fleet(2)

    async def scenario() -> None:
        await fleet.join("r0")
        await asyncio.sleep(1.3)
        report = await fleet.members[1].registry.fleet()
        assert sorted(r.name for r in report.replicas) == ["r0", "r0", "r1"]
        assert len({r.incarnation for r in report.replicas}) == 3
        fields = report.replicas[0].told
        assert fields["shared_state"] == "fresh"
        assert set(fields["policies"]) == {SVC}

    with fleet:
        fleet.run(scenario())


def test_a_heartbeat_lists_the_circuits_local_to_the_replica() -> None:
    one = OneBreaker()
    one.opens()
    body = json.loads(one.registry._body())
    assert body["circuits"] == [{"name": "svc", "state": "open", "scope": "replica", "overlaid": False}]


# ---- overrides ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("for_s", [0.0, -1.0, float("nan"), float("inf"), 31 * 86_400.0])
async def test_an_override_with_an_invalid_duration_is_refused(for_s: float) -> None:
    with pytest.raises(ConfigurationError, match="for_s"):
        await OneBreaker().registry.override("svc", "open", reason="x", by="me", for_s=for_s)


async def test_an_override_with_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="must be one of open, closed, disabled, shadow"):
        await OneBreaker().registry.override("svc", "ajar", reason="x", by="me")


async def test_an_override_of_an_unknown_circuit_is_refused_and_lists_the_known_ones() -> None:
    with pytest.raises(UnknownCircuitError) as raised:
        await OneBreaker().registry.override("nothing", "open", reason="x", by="me")
    assert raised.value.known == ("svc",)


def test_an_override_and_its_end_reach_every_replica() -> None:
    fleet = Fleet(2)

    async def scenario() -> None:
        a, b = fleet.members
        await a.registry.override(SVC, OverrideMode.OPEN, reason="deploy", by="me")
        await asyncio.sleep(0.05)
        assert b.breaker.admit().retry_after_s is None
        assert b.state is OPEN
        await b.registry.end_override(SVC, by="me")
        await asyncio.sleep(0.05)
        assert {a.state, b.state} == {HALF_OPEN}
        await fleet.closes(within_s=3)

    with fleet:
        fleet.run(scenario())


def test_an_override_that_cannot_be_stored_is_an_error() -> None:
    fleet = Fleet(1)

    async def scenario() -> None:
        fleet.members[0].wire.cut()
        with pytest.raises(LedgerUnavailableError):
            await fleet.members[0].registry.override(SVC, OverrideMode.OPEN, reason="deploy", by="me")
        assert fleet.members[0].state is CLOSED

    with fleet:
        fleet.run(scenario())


async def test_a_shared_circuit_cannot_be_overridden_before_the_registry_is_entered() -> None:
    """Otherwise only this replica would apply the override, and it could not be ended after joining."""
    registry = CircuitRegistry(MemoryLedger, replica="r1")
    breaker = registry.breaker("svc")
    with pytest.raises(LedgerUnavailableError, match="enter the registry"):
        await registry.override("svc", "open", reason="deploy", by="me")
    assert breaker.state is CLOSED


def test_overriding_a_circuit_used_only_by_others_does_not_set_its_policy() -> None:
    fleet = Fleet(2)

    async def scenario() -> None:
        a, b = fleet.members
        b.registry.breaker("theirs", POLICY)
        await asyncio.sleep(1.3)
        await a.registry.override("theirs", OverrideMode.OPEN, reason="deploy", by="me")
        await asyncio.sleep(0.05)
        assert b.registry.breaker("theirs").state is OPEN
        other = CircuitPolicy(min_samples=99)
        assert a.registry.breaker("theirs", other).policy == other

    with fleet:
        fleet.run(scenario())


async def test_a_circuit_in_shadow_mode_announces_that_it_would_have_opened() -> None:
    one = OneBreaker()
    await one.registry.override("svc", "shadow", reason="trial", by="me")
    one.fails(5)
    assert one.breaker.state is CLOSED
    assert [type(e) for e in one.events if isinstance(e, WouldOpen)] == [WouldOpen]


def test_shadow_mode_with_a_quorum_announces_too_and_its_failures_open_nothing_afterwards() -> None:
    fleet = Fleet(3, replace(POLICY, quorum=2))

    async def scenario() -> None:
        await fleet.members[0].registry.override(SVC, "shadow", reason="trial", by="me")
        await asyncio.sleep(0.05)
        for member in fleet.members:
            for _ in range(3):
                await member.call(DOWN)
        await asyncio.sleep(0.2)
        assert {member.state for member in fleet.members} == {CLOSED}
        assert [e.trigger for e in fleet.ledger.entries(SVC)] == ["overridden", "would open"]
        await fleet.members[0].registry.end_override(SVC, by="me")
        await asyncio.sleep(0.05)
        for member in fleet.members:
            await member.call(DOWN)
            assert member.state is CLOSED

    with fleet:
        fleet.run(scenario())


# ---- sinks ----------------------------------------------------------------------------------------------------------


def test_a_failing_sink_affects_neither_the_call_nor_the_other_sinks(caplog: pytest.LogCaptureFixture) -> None:
    def broken(event: object) -> None:
        raise RuntimeError("the sink is broken")

    one = OneBreaker()
    one.registry._link.sinks.insert(0, broken)
    late: list[object] = []
    one.registry.add_sink(late.append)
    one.opens()
    assert [e.to_state for e in late if isinstance(e, CircuitChanged)] == ["open"]
    assert "the sink is broken" in caplog.text


# ---- synchronous programs -------------------------------------------------------------------------------------------


def test_a_synchronous_program_joins_and_leaves_the_fleet_on_a_background_thread() -> None:
    ledger = MemoryLedger()
    threads = threading.active_count()
    with CircuitRegistry(lambda: ledger, replica="sync") as registry:
        breaker = registry.breaker("svc", POLICY)
        assert breaker.call_sync(str.upper, "x") == "X"
        assert [beat.incarnation for beat in asyncio.run(ledger.replicas())] == [registry.incarnation]
    assert threading.active_count() == threads
    assert ledger.circuit("svc").window  # the last report contained the count
    assert not asyncio.run(ledger.replicas())


def test_a_synchronous_call_waits_for_its_probe_lease() -> None:
    ledger = MemoryLedger()
    received = threading.Event()
    with CircuitRegistry(lambda: ledger, replica="sync", sinks=[lambda _: received.set()]) as registry:
        breaker = registry.breaker("svc", CircuitPolicy(min_samples=4, probe_successes=1))
        terms = breaker._view.terms
        asyncio.run(ledger.override("svc", terms, OverrideMode.OPEN, "x", "me", None))
        assert received.wait(PATIENCE_S)
        with pytest.raises(CircuitOpenError):
            breaker.call_sync(str.upper, "x")
        received.clear()
        breaker._view.set_spread(0.0)  # two milliseconds by default in a fleet of one
        asyncio.run(ledger.override("svc", terms, None, "enough", "me", None))
        assert received.wait(PATIENCE_S)
        assert breaker.call_sync(str.upper, "x") == "X"


def test_the_registry_can_be_entered_with_a_stopped_clock() -> None:
    clock = ManualClock()
    with CircuitRegistry(lambda: MemoryLedger(clock), replica="sync", clock=clock) as registry:
        assert registry.breaker("svc", POLICY).call_sync(str.upper, "x") == "X"
