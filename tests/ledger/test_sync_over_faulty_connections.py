"""The sync over connections that delay, lose, duplicate, refuse or break: nothing is lost for good or counted twice."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from ha_rag.circuit.state import Counts, OverrideMode
from ha_rag.errors import LedgerRefusedError, LedgerUnavailableError, ServiceError, ThrottledError
from ha_rag.events import CircuitChanged, LedgerBack, LedgerLost, OverrideChanged
from ha_rag.ledger.store.memory import MemoryLedger
from tests.ledger.simulated_fleet import CLOSED, HALF_OPEN, OPEN, SVC, Fleet, Member
from tests.ledger.wire import Wire

DOWN = ServiceError("down", status=500)
CALM = CircuitPolicy(
    min_samples=5,
    window_s=10.0,
    recovery_timeout_s=2.0,
    recovery_timeout_max_s=8.0,
    probe_timeout_s=2.0,
    probe_successes=2,
)
"""A lease lasts 2 s; nothing opens below five samples."""


@pytest.fixture
def fleet() -> Iterator[Fleet]:
    fleet = Fleet(2, CALM)
    yield fleet
    fleet.check()
    fleet.close()


@pytest.fixture
def a(fleet: Fleet) -> Member:
    return fleet.members[0]


@pytest.fixture
def b(fleet: Fleet) -> Member:
    return fleet.members[1]


def counted(fleet: Fleet) -> Counts:
    return sum(fleet.ledger.circuit(SVC).window.values(), Counts())


async def calls(member: Member, ok: int = 0, failed: int = 0) -> None:
    for _ in range(ok):
        await member.call()
    for _ in range(failed):
        await member.call(DOWN)


async def opened(member: Member) -> None:
    await calls(member, failed=5)
    await asyncio.sleep(0.05)
    assert member.fleet.ledger.circuit(SVC).state is OPEN


# ---- reports --------------------------------------------------------------------------------------------------------


def test_successes_wait_for_the_interval_and_are_sent_in_one_batch(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        before = a.wire.sent.count("record")
        await calls(a, ok=100)
        assert a.wire.sent.count("record") == before
        await asyncio.sleep(0.25)
        assert a.wire.sent.count("record") == before + 1
        assert counted(fleet) == Counts(100, 0)

    fleet.run(scenario())


def test_a_failure_is_sent_at_once(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await calls(a, failed=1)
        await asyncio.sleep(0.005)
        assert counted(fleet) == Counts(0, 1)

    fleet.run(scenario())


def test_failures_during_a_report_are_sent_right_after_it(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.delay_s = 0.02
        await calls(a, ok=20, failed=1)
        await asyncio.sleep(0.01)
        await calls(a, failed=2)
        await asyncio.sleep(0.08)
        assert counted(fleet).failed == 3
        assert a.wire.sent.count("record") == 2

    fleet.run(scenario())


@pytest.mark.parametrize("mishap", ["record>", "record<"])
def test_a_batch_whose_request_or_reply_is_lost_is_counted_once(fleet: Fleet, a: Member, mishap: str) -> None:
    async def scenario() -> None:
        a.wire.lose.append(mishap)
        await calls(a, ok=7)
        await asyncio.sleep(1)
        assert not a.wire.lose
        assert counted(fleet) == Counts(7, 0)

    fleet.run(scenario())


def test_a_batch_that_arrives_twice_is_counted_once(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.twice.append("record")
        await calls(a, ok=7)
        await asyncio.sleep(1)
        assert not a.wire.twice
        assert counted(fleet) == Counts(7, 0)

    fleet.run(scenario())


def test_a_batch_that_overtakes_the_previous_one_is_counted_and_the_previous_one_never_is(
    fleet: Fleet, a: Member
) -> None:
    async def scenario() -> None:
        a.wire.delay_s = 0.3  # longer than any timeout: every request arrives after its client gave up
        await calls(a, ok=7)
        await asyncio.sleep(2)
        a.wire.delay_s = 0.001
        await calls(a, ok=2)
        await asyncio.sleep(2)
        assert counted(fleet) == Counts(9, 0)

    fleet.run(scenario())


def test_failures_spread_over_replicas_that_each_saw_too_few_open_the_circuit(fleet: Fleet) -> None:
    async def scenario() -> None:
        a, b = fleet.members
        await calls(a, failed=3)
        await calls(b, failed=2)
        await asyncio.sleep(0.05)
        assert {a.state, b.state} == {OPEN}

    fleet.run(scenario())


def test_a_fleet_that_opens_replaces_a_replicas_local_trip(fleet: Fleet, a: Member) -> None:
    fleet.run(opened(a))
    fleet.run(asyncio.sleep(0.5))
    assert not a.view.is_tripped_locally()
    assert [e.scope for e in a.events if isinstance(e, CircuitChanged)] == ["fleet"]


def test_a_replica_that_alone_sees_failures_trips_locally_and_publishes_it(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await calls(b, ok=100)
        await asyncio.sleep(0.3)
        await calls(a, failed=5)
        await asyncio.sleep(0.3)
        assert (a.state, b.state) == (OPEN, CLOSED)
        assert a.view.is_tripped_locally()
        changes = [e for e in a.events if isinstance(e, CircuitChanged)]
        assert [(e.scope, e.to_state) for e in changes] == [("replica", "open")]
        await asyncio.sleep(2.2)
        await calls(a, ok=2)
        await asyncio.sleep(0.3)
        assert a.state is CLOSED
        assert [e.to_state for e in a.events if isinstance(e, CircuitChanged)] == ["open", "closed"]

    fleet.run(scenario())


# ---- messages and polls ---------------------------------------------------------------------------------------------


def test_a_change_is_pushed_to_all_replicas(fleet: Fleet, a: Member, b: Member) -> None:
    fleet.run(opened(a))
    assert b.state is OPEN


def test_a_lost_message_is_made_up_for_by_the_next_poll(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        b.wire.lose.append("message")
        await opened(a)
        assert b.state is CLOSED
        await asyncio.sleep(1.2)
        assert b.view.fleet.epoch == a.view.fleet.epoch

    fleet.run(scenario())


def test_a_message_after_a_gap_is_followed_by_a_read(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await asyncio.sleep(0.3)
        b.wire.lose.append("message")
        await a.registry.override(SVC, OverrideMode.DISABLED, reason="test", by="me")
        await asyncio.sleep(0.01)
        reads = b.wire.sent.count("read")
        await a.registry.end_override(SVC, by="me")
        await asyncio.sleep(0.01)
        assert b.wire.sent.count("read") == reads + 1
        assert b.view.fleet.epoch == a.view.fleet.epoch

    fleet.run(scenario())


def test_a_message_that_arrives_twice_is_published_once(fleet: Fleet, a: Member, b: Member) -> None:
    b.wire.twice.append("message")
    fleet.run(opened(a))
    assert [e.to_state for e in b.events if isinstance(e, CircuitChanged)] == ["open"]


def test_after_a_disconnect_a_new_subscription_reads_at_once_what_was_missed(
    fleet: Fleet, a: Member, b: Member
) -> None:
    async def scenario() -> None:
        b.wire.cut()
        await opened(a)
        await asyncio.sleep(0.2)
        b.wire.repair()
        await asyncio.sleep(0.6)
        assert b.view.fleet.epoch == a.view.fleet.epoch

    fleet.run(scenario())


def test_an_override_is_published_as_an_override(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await a.registry.override(SVC, OverrideMode.DISABLED, reason="test", by="me")
        await a.registry.end_override(SVC, by="me")
        await asyncio.sleep(0.1)

    fleet.run(scenario())
    assert [e.mode for e in b.events if isinstance(e, OverrideChanged)] == ["disabled", None]
    assert not [e for e in b.events if isinstance(e, CircuitChanged)]


# ---- probes ---------------------------------------------------------------------------------------------------------


def test_only_one_probe_runs_at_a_time_in_the_whole_fleet(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        answers = await asyncio.gather(*(m.begin() for m in fleet.members for _ in range(20)))
        assert [call.probe for call in answers if call is not None] == [True]
        asked = Counter(verb for m in fleet.members for verb in m.wire.sent)["lease"]
        assert asked <= 2

    fleet.run(scenario())


def test_a_refused_replica_requests_again_after_the_probe_is_settled_and_not_before(fleet: Fleet, b: Member) -> None:
    async def scenario() -> None:
        a = fleet.members[0]
        await opened(a)
        await asyncio.sleep(2.1)
        probe = await a.begin()
        assert probe is not None
        await b.begin()
        asked = b.wire.sent.count("lease")
        for _ in range(10):
            assert await b.begin() is None
            await asyncio.sleep(0.05)
        assert b.wire.sent.count("lease") == asked
        a.end(probe)
        await asyncio.sleep(0.02)
        second = await b.begin()
        assert second is not None
        b.end(second)
        await asyncio.sleep(0.1)
        assert {a.state, b.state} == {CLOSED}

    fleet.run(scenario())


def test_with_a_ledger_latency_of_a_tenth_of_a_second_circuits_still_close(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        for member in fleet.members:
            member.wire.delay_s = 0.05
        await calls(a, failed=5)
        await asyncio.sleep(0.3)
        assert a.state is OPEN
        await fleet.closes(within_s=6.0)

    fleet.run(scenario())


def test_a_grant_that_comes_too_late_for_its_call_serves_the_next_call(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        a.wire.delay_s = 0.05
        await asyncio.sleep(2.1)
        assert await a.begin() is None
        await asyncio.sleep(0.2)
        began_s = fleet.now_s
        probe = await a.begin()
        assert probe is not None
        assert probe.probe
        assert fleet.now_s == began_s

    fleet.run(scenario())


def test_an_unused_grant_is_returned_after_half_its_lease(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        a.wire.delay_s = 0.05
        await asyncio.sleep(2.1)
        assert await a.begin() is None
        await asyncio.sleep(0.9)
        assert await b.begin() is None
        await asyncio.sleep(0.4)
        assert await b.begin() is not None

    fleet.run(scenario())


def test_throttling_seen_by_a_probe_opens_the_circuit_for_the_whole_fleet(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        began_s = fleet.now_s
        await a.call(ThrottledError("busy", retry_after_s=40.0))
        await asyncio.sleep(0.1)
        assert fleet.ledger.circuit(SVC).open_until_ms == pytest.approx((began_s + 40) * 1000, abs=100)
        assert b.state is OPEN

    fleet.run(scenario())


@pytest.mark.parametrize("error", [LedgerRefusedError("READONLY no"), LedgerUnavailableError("nothing heard")])
def test_a_replica_whose_probe_outcome_is_refused_goes_on_locally(
    fleet: Fleet, a: Member, error: LedgerRefusedError | LedgerUnavailableError
) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        probe = await a.begin()
        assert probe is not None
        a.wire.failing["settle"] = error
        if isinstance(error, LedgerUnavailableError):
            a.wire.failing["read"] = a.wire.failing["beat"] = error  # else the next reply shows that it is reachable
        a.end(probe)
        await asyncio.sleep(1.0)
        assert a.breaker.shared_state == "local"
        (lost,) = [e for e in a.events if isinstance(e, LedgerLost)]
        assert (lost.reason, lost.circuit) == (str(error), SVC if isinstance(error, LedgerRefusedError) else "")

    fleet.run(scenario())


@pytest.mark.parametrize("mishap", ["settle>", "settle<"])
def test_a_probes_outcome_survives_a_lost_packet(fleet: Fleet, a: Member, mishap: str) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        a.wire.lose.append(mishap)
        await a.call()
        await asyncio.sleep(1)
        assert fleet.ledger.circuit(SVC).probe_successes == 1

    fleet.run(scenario())


def test_a_probes_outcome_survives_a_failover_within_its_lease(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        call = await a.begin()
        assert call is not None
        a.wire.readonly = True
        a.end(call)
        await asyncio.sleep(1)
        a.wire.readonly = False
        await asyncio.sleep(0.6)
        assert fleet.ledger.circuit(SVC).probe_successes == 1

    fleet.run(scenario())


def test_the_outcome_of_a_probe_that_ends_while_its_replica_stops_is_received(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        call = await a.begin()
        assert call is not None
        a.wire.delay_s = 0.1
        leaving = asyncio.ensure_future(a.registry.__aexit__(None, None, None))
        await asyncio.sleep(0.05)
        a.end(call)
        await leaving
        assert fleet.ledger.circuit(SVC).probe_successes == 1

    fleet.run(scenario())


def test_a_grant_whose_reply_was_lost_frees_its_slot_at_once(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        a.wire.lose.append("lease<")
        assert await a.begin() is None
        assert fleet.ledger.circuit(SVC).state is HALF_OPEN
        await asyncio.sleep(0.4)
        call = await b.begin()
        assert call is not None
        assert call.probe

    fleet.run(scenario())


def test_a_crashed_prober_blocks_nobody_for_longer_than_its_lease(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        assert await a.begin() is not None
        died_s = fleet.now_s
        await fleet.remove_dead(a)
        await fleet.closes(within_s=3.0)
        assert fleet.now_s - died_s >= 1.8

    fleet.run(scenario())


def test_a_stopping_prober_returns_its_grant_at_once(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        a.wire.delay_s = 0.05
        await asyncio.sleep(2.1)
        assert await a.begin() is None
        await asyncio.sleep(0.2)
        fleet.members.remove(a)
        await a.registry.__aexit__(None, None, None)
        assert await b.begin() is not None

    fleet.run(scenario())


def test_the_outcome_of_a_probe_that_ended_just_before_a_stop_is_still_sent(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        a.wire.delay_s = 0.02
        probe = await a.begin()
        assert probe is not None
        a.end(probe)
        await fleet.settled(probe)
        await asyncio.sleep(0)
        fleet.members.remove(a)
        await a.registry.__aexit__(None, None, None)
        assert fleet.ledger.circuit(SVC).probe_successes == 1

    fleet.run(scenario())


# ---- data loss ------------------------------------------------------------------------------------------------------


def test_an_override_is_restored_with_its_end(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await a.registry.override(SVC, OverrideMode.OPEN, reason="test", by="me", for_s=60)
        said = fleet.ledger.circuit(SVC).override
        fleet.flush()
        await asyncio.sleep(3)
        restored = fleet.ledger.circuit(SVC).override
        assert said is not None
        assert restored is not None
        assert (restored.mode, restored.by) == (said.mode, said.by)
        assert restored.until_ms == pytest.approx(said.until_ms, abs=100)

    fleet.run(scenario())


def test_a_ledger_that_refuses_verbs_is_retried_once_a_second(fleet: Fleet, a: Member) -> None:
    def attempts() -> int:
        return a.wire.sent.count("record") + a.wire.sent.count("trial")

    async def scenario() -> None:
        a.wire.readonly = True
        await calls(a, failed=1)
        await asyncio.sleep(0.5)
        before = attempts()
        await calls(a, ok=50)
        await asyncio.sleep(5)
        assert 4 <= attempts() - before <= 6

    fleet.run(scenario())


def test_a_flushed_ledger_is_restored_and_no_replica_falls_back_to_an_older_state(
    fleet: Fleet, a: Member, b: Member
) -> None:
    async def scenario() -> None:
        await opened(a)
        epoch = a.view.fleet.epoch
        fleet.flush()
        await asyncio.sleep(1.3)
        assert fleet.ledger.circuit(SVC).epoch > epoch
        assert fleet.ledger.circuit(SVC).state is OPEN
        assert {a.state, b.state} == {OPEN}

    fleet.run(scenario())


def test_a_flushed_half_open_circuit_comes_back_as_open_and_is_closed_only_by_probes(
    fleet: Fleet, a: Member, b: Member
) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(2.1)
        assert await a.begin() is not None
        fleet.flush()
        await asyncio.sleep(1.2)
        assert fleet.ledger.circuit(SVC).state is OPEN
        assert {a.state, b.state} == {OPEN}
        await fleet.closes(within_s=2 + 2)

    fleet.run(scenario())


def test_outcomes_held_longer_than_the_window_are_not_counted_as_new(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.freeze()
        await calls(a, ok=3, failed=1)
        await asyncio.sleep(11)
        a.wire.thaw()
        await asyncio.sleep(2)
        await calls(a, ok=2)
        await asyncio.sleep(0.5)
        assert counted(fleet) == Counts(2, 0)

    fleet.run(scenario())


def test_a_ledger_that_lost_its_data_grants_no_lease_to_a_replica_with_a_newer_epoch(
    fleet: Fleet, a: Member, b: Member
) -> None:
    async def scenario() -> None:
        await opened(a)
        await asyncio.sleep(1.0)
        fleet.copy()
        await asyncio.sleep(1.1)
        assert await a.begin() is not None
        fleet.failover()  # the copy does not contain the grant
        assert await b.begin() is None
        await asyncio.sleep(0.1)
        assert fleet.ledger.circuit(SVC).state is OPEN

    fleet.run(scenario())


# ---- refusals and an unreachable ledger -----------------------------------------------------------------------------


def test_with_a_read_only_ledger_the_replica_decides_locally(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.readonly = True
        await calls(a, failed=1)
        await asyncio.sleep(2.5)
        assert a.breaker.shared_state == "local"  # successful polls do not end that
        await calls(a, failed=5)
        assert a.state is OPEN
        assert len([e for e in a.events if isinstance(e, LedgerLost)]) == 1
        a.wire.readonly = False
        await asyncio.sleep(4)
        await calls(a, ok=3)
        await asyncio.sleep(3)
        assert a.breaker.shared_state == "fresh"

    fleet.run(scenario())


def test_a_ledger_that_refuses_verbs_is_tried_and_gets_no_lease_request(fleet: Fleet, a: Member, b: Member) -> None:
    async def scenario() -> None:
        a.wire.readonly = True
        await calls(a, failed=1)
        await asyncio.sleep(0.1)
        assert a.breaker.shared_state == "local"
        await opened(b)
        for _ in range(19):
            await asyncio.sleep(0.1)
            assert a.breaker.shared_state == "local"
        await asyncio.sleep(1.5)
        assert "lease" not in a.wire.sent, "others would wait for it"
        assert "trial" in a.wire.sent

    fleet.run(scenario())


def test_with_a_read_only_ledger_the_replica_probes_and_closes_locally(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        for member in fleet.members:
            member.wire.readonly = True
        await fleet.closes(within_s=6)

    fleet.run(scenario())


def test_two_failures_in_a_row_make_the_replica_local_and_one_reply_makes_it_fresh_again(
    fleet: Fleet, a: Member
) -> None:
    async def scenario() -> None:
        began_ms = fleet.clock.unix_ms()
        a.wire.cut()
        await asyncio.sleep(2)
        assert a.registry.shared_state == "local"
        a.wire.repair()
        await asyncio.sleep(0.7)
        assert a.registry.shared_state == "fresh"
        (lost,) = [e for e in a.events if isinstance(e, LedgerLost)]
        (back,) = [e for e in a.events if isinstance(e, LedgerBack)]
        assert (lost.replica, lost.circuit, bool(lost.reason)) == (a.registry.incarnation, "", True)
        assert (back.replica, back.circuit) == (a.registry.incarnation, "")
        assert began_ms < lost.at_ms < back.at_ms <= fleet.clock.unix_ms()
        assert back.away_s == pytest.approx((back.at_ms - lost.at_ms) / 1000, abs=0.6)

    fleet.run(scenario())


def test_a_frozen_ledger_makes_the_cached_state_stale_before_it_is_lost(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.failing["read"] = LedgerUnavailableError("slow")
        a.wire.failing["beat"] = LedgerRefusedError("LOADING")
        sync = a.registry._sync
        assert sync is not None
        for _ in range(12):
            sync.link.answered(None)  # other replies still arrive
            await asyncio.sleep(0.25)
        assert a.registry.shared_state == "stale"

    fleet.run(scenario())


def test_while_the_ledger_is_unreachable_no_call_waits_and_none_is_lost(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.freeze()
        began_s = fleet.now_s
        for _ in range(50):
            assert await a.call() == "ok"
        assert fleet.now_s == began_s

    fleet.run(scenario())


def test_while_the_ledger_is_unreachable_for_hours_memory_use_stays_bounded(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.cut()
        sync = a.registry._sync
        assert sync is not None
        sizes = []
        for _ in range(2):
            for _ in range(100):
                await calls(a, ok=3, failed=1)
                await asyncio.sleep(1)
            sizes.append(len(sync._background) + len(asyncio.all_tasks()) + len(a.view._counter.tallies.for_fleet))
        assert abs(sizes[1] - sizes[0]) <= 3
        assert len(a.view._counter.tallies.for_fleet) <= 12

    fleet.run(scenario())


# ---- starting and stopping ------------------------------------------------------------------------------------------


def test_a_replica_starts_without_a_ledger_reports_it_and_joins_it_later(fleet: Fleet) -> None:
    async def scenario() -> None:
        wire = Wire(fleet.ledger)
        wire.cut()
        member = await fleet.join("late", wire=wire)
        assert member.registry.shared_state == "local"
        assert [type(e) for e in member.events] == [LedgerLost]
        assert await member.call() == "ok"
        wire.repair()
        await asyncio.sleep(1)
        assert member.registry.shared_state == "fresh"
        assert [type(e) for e in member.events] == [LedgerLost, LedgerBack]

    fleet.run(scenario())


def test_a_starting_replica_knows_an_open_circuit_before_its_first_call(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        late = await fleet.join("late")
        assert late.state is OPEN

    fleet.run(scenario())


def test_a_circuit_added_later_is_read_at_once(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        b = fleet.members[1]
        other = b.registry.breaker("other", CALM)
        await asyncio.sleep(0.05)
        for _ in range(5):
            permit = other.admit().permit
            assert permit is not None
            permit.failed()
        await asyncio.sleep(0.05)
        assert a.registry.breaker("other", CALM).state is CLOSED  # not read yet
        await asyncio.sleep(0.05)
        assert a.registry.breaker("other").state is OPEN

    fleet.run(scenario())


def test_a_circuit_whose_first_read_failed_does_not_stay_local(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        a.wire.lose.append("read>")
        other = a.registry.breaker("other", CALM)
        await asyncio.sleep(0.1)
        assert other.shared_state == "local"
        await asyncio.sleep(2)
        assert other.shared_state == "fresh"

    fleet.run(scenario())


def test_a_stop_sends_what_was_counted_and_removes_the_replica_from_the_list(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await calls(a, ok=7)
        fleet.members.remove(a)
        await a.registry.__aexit__(None, None, None)
        assert counted(fleet) == Counts(7, 0)
        assert {beat.incarnation for beat in await fleet.ledger.replicas()} == {fleet.members[0].registry.incarnation}
        assert a.wire.closed

    fleet.run(scenario())


def test_a_stop_does_not_wait_for_a_frozen_ledger(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await calls(a, ok=7)
        a.wire.freeze()
        fleet.members.remove(a)
        began_s = fleet.now_s
        await a.registry.__aexit__(None, None, None)
        assert fleet.now_s - began_s <= 1.0

    fleet.run(scenario())


def test_a_breaker_whose_registry_was_left_goes_on_locally(fleet: Fleet, a: Member) -> None:
    async def scenario() -> None:
        await opened(a)
        fleet.members.remove(a)
        await a.registry.__aexit__(None, None, None)
        assert a.breaker.shared_state == "local"
        assert a.state is OPEN
        await asyncio.sleep(2.1)
        assert [await a.call(), await a.call(), a.state] == ["ok", "ok", CLOSED]

    fleet.run(scenario())


# ---- unexpected errors ----------------------------------------------------------------------------------------------


@pytest.mark.provokes_errors
@pytest.mark.parametrize("verb", ["read", "beat", "record"])
def test_an_unexpected_error_ends_no_loop(fleet: Fleet, a: Member, verb: str, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        a.wire.failing[verb] = RuntimeError("what is this?")
        await calls(a, ok=3)
        await asyncio.sleep(3)
        a.wire.failing.clear()
        await calls(a, ok=4)
        await asyncio.sleep(3)
        assert a.registry.shared_state == "fresh"
        assert counted(fleet) == Counts(7, 0)
        beats = {beat.incarnation: beat.at_ms for beat in await fleet.ledger.replicas()}
        assert fleet.clock.unix_ms() - beats[a.registry.incarnation] < 1500

    fleet.run(scenario())
    assert "what is this?" in caplog.text


@pytest.mark.provokes_errors
def test_a_heartbeat_body_that_fails_ends_no_loop(fleet: Fleet, a: Member, caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        a.registry.told = lambda: {"x": object()}
        await asyncio.sleep(3)
        a.registry.told = dict
        await asyncio.sleep(2)
        beats = {beat.incarnation: beat.at_ms for beat in await fleet.ledger.replicas()}
        assert fleet.clock.unix_ms() - beats[a.registry.incarnation] < 1500

    fleet.run(scenario())
    assert "not JSON serializable" in caplog.text


def test_a_registry_without_circuits_knows_whether_its_ledger_is_reachable(fleet: Fleet) -> None:
    async def scenario() -> None:
        wire = Wire(MemoryLedger(fleet.clock))
        async with CircuitRegistry(lambda: wire, replica="idle", clock=fleet.clock) as registry:
            assert registry.shared_state == "fresh"
            wire.cut()
            await asyncio.sleep(3)
            assert registry.shared_state == "local"
            wire.repair()
            await asyncio.sleep(3)
            assert registry.shared_state == "fresh"

    fleet.run(scenario())


def test_half_open_is_reached_by_a_call_and_never_by_time_alone(fleet: Fleet, a: Member) -> None:
    fleet.run(opened(a))
    fleet.run(asyncio.sleep(30))
    assert fleet.ledger.circuit(SVC).state is OPEN
    assert a.state is HALF_OPEN
    assert "lease" not in a.wire.sent
