"""The contract of every ledger, tested on every kind: in memory, fakeredis, Redis 6.2 and 7, RESP2 and RESP3."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint, Tally
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.outcomes import Outcome
from tests.ledger.bench import Bench, terms
from tests.waiting import PATIENCE_S

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NAME = "generator.primary"


class Verbs:
    """Shorter ways to call the verbs."""

    def __init__(self, bench: Bench, policy: Terms) -> None:
        self.bench, self.ledger, self.terms = bench, bench.ledger, policy
        self._number = 0

    async def report(self, ok: int = 0, failed: int = 0, *, by: str = "a", failing: bool = False) -> Reply:
        self._number += 1
        epoch = (await self.read()).snapshot.epoch
        batch = Batch(by, self._number, (Tally(epoch, self.bench.now_ms, Counts(ok, failed)),), failing)
        return await self.ledger.record(NAME, self.terms, batch, 0.0)

    async def lease(self, token: str = "t1", by: str = "a") -> Reply:
        return await self.ledger.lease(NAME, self.terms, by, 0, token)

    async def settle(self, outcome: Outcome, token: str = "t1", by: str = "a", asked_ms: int = 0) -> Reply:
        return await self.ledger.settle(NAME, self.terms, by, token, outcome, asked_ms, 0.0)

    async def override(self, mode: OverrideMode | None, for_ms: int | None = None) -> Reply:
        return await self.ledger.override(NAME, self.terms, mode, "maintenance", "kim", for_ms)

    async def read(self) -> Reply:
        return (await self.ledger.read({NAME: self.terms}))[NAME]

    async def probing(self) -> Reply:
        """Opens the circuit, waits until the open duration is over, and takes the first lease."""
        await self.report(failed=3)
        await self.bench.advance(500)
        return await self.lease()


@pytest.fixture
def verbs(bench: Bench) -> Verbs:
    return Verbs(bench, terms())


async def test_an_unused_circuit_is_closed_and_has_epoch_zero(verbs: Verbs) -> None:
    found = (await verbs.read()).snapshot
    assert (found.state, found.epoch, found.counts) == (CLOSED, 0, Counts())


async def test_failures_of_different_replicas_add_up_and_open_the_circuit_for_all(verbs: Verbs) -> None:
    for replica in ("a", "b"):
        assert (await verbs.report(failed=1, by=replica)).snapshot.state is CLOSED
    opened = (await verbs.report(failed=1, by="c")).snapshot
    assert (opened.state, opened.left_ms, opened.opened_by) == (OPEN, 500, "c")
    assert opened.reason == "3 of 3 failed, 0 slow"


async def test_reports_of_many_replicas_in_the_same_millisecond_all_count(verbs: Verbs) -> None:
    now, policy = verbs.bench.now_ms, terms(min_samples=1000)
    batches = [Batch(f"r{n}", 1, (Tally(0, now, Counts(1, 1)),)) for n in range(40)]
    await asyncio.gather(*(verbs.ledger.record(NAME, policy, batch, 0.0) for batch in batches))
    assert (await verbs.read()).snapshot.counts == Counts(40, 40)


async def test_the_open_duration_counts_down_and_then_the_circuit_reads_as_half_open(verbs: Verbs) -> None:
    await verbs.report(failed=3)
    await verbs.bench.advance(499)
    assert ((await verbs.read()).snapshot.state, (await verbs.read()).snapshot.left_ms) == (OPEN, 1)
    await verbs.bench.advance(1)
    assert (await verbs.read()).snapshot.state is HALF_OPEN


async def test_an_open_circuit_grants_no_lease_and_returns_the_time_to_wait(verbs: Verbs) -> None:
    await verbs.report(failed=3)
    await verbs.bench.advance(100)
    refused = await verbs.lease()
    assert (refused.granted, refused.wait_ms) == (False, 400)


async def test_half_open_grants_one_probe_and_tells_other_replicas_when_its_lease_ends(verbs: Verbs) -> None:
    assert (await verbs.probing()).granted
    refused = await verbs.lease("t2", by="b")
    assert (refused.granted, refused.wait_ms, refused.snapshot.slot_wait_ms) == (False, 300, 300)


async def test_enough_successful_probes_close_the_circuit(verbs: Verbs) -> None:
    await verbs.probing()
    assert (await verbs.settle(Outcome.OK)).snapshot.probe_successes == 1
    await verbs.lease("t2", by="b")
    closed = (await verbs.settle(Outcome.OK, "t2", by="b")).snapshot
    assert (closed.state, closed.counts) == (CLOSED, Counts())


async def test_a_failed_probe_doubles_the_open_duration(verbs: Verbs) -> None:
    await verbs.probing()
    opened = (await verbs.settle(Outcome.FAILED)).snapshot
    assert (opened.state, opened.left_ms, opened.open_count) == (OPEN, 1000, 2)


async def test_a_crashed_prober_blocks_others_no_longer_than_its_lease(verbs: Verbs) -> None:
    await verbs.probing()
    await verbs.bench.advance(300)
    assert (await verbs.lease("t2", by="b")).granted


async def test_spare_time_makes_a_lease_longer(verbs: Verbs) -> None:
    await verbs.report(failed=3)
    await verbs.bench.advance(500)
    assert (await verbs.ledger.lease(NAME, verbs.terms, "a", 0, "t1", 400)).granted
    assert (await verbs.lease("t2", by="b")).wait_ms == 700
    await verbs.bench.advance(700)
    assert (await verbs.lease("t2", by="b")).granted


async def test_spare_time_does_not_make_a_replica_wait_longer_whose_probe_failed(verbs: Verbs) -> None:
    await verbs.probing()
    await verbs.settle(Outcome.THROTTLED, asked_ms=100)
    assert (await verbs.ledger.lease(NAME, verbs.terms, "a", 0, "t2", 400)).wait_ms == 600
    await verbs.bench.advance(600)
    assert (await verbs.ledger.lease(NAME, verbs.terms, "a", 0, "t2", 400)).granted


async def test_a_forced_open_holds_for_all_replicas_until_its_deadline(verbs: Verbs) -> None:
    forced = await verbs.override(OverrideMode.OPEN, 2000)
    assert (forced.snapshot.state, forced.snapshot.left_ms, forced.wait_ms) == (OPEN, 2000, -1)
    await verbs.bench.advance(2000)
    assert (await verbs.read()).snapshot.override is None
    assert (await verbs.lease()).granted
    assert [e.trigger for e in await verbs.ledger.events(NAME)] == ["forced open", "forced open ended", "probe granted"]


async def test_a_forced_open_without_a_deadline_ends_only_when_it_is_ended(verbs: Verbs) -> None:
    await verbs.override(OverrideMode.OPEN)
    await verbs.bench.advance(10_000_000)
    assert (await verbs.read()).snapshot.left_ms == -1
    assert (await verbs.override(None)).snapshot.state is HALF_OPEN


async def test_an_operators_name_and_reason_reach_all_replicas_unchanged(verbs: Verbs) -> None:
    reason = 'wegen "Wartung": {1}\n\\ ü 🙂'
    await verbs.ledger.override(NAME, verbs.terms, OverrideMode.SHADOW, reason, "kim müller", None)
    override = (await verbs.read()).snapshot.override
    assert override is not None
    assert (override.mode, override.reason, override.by) == (OverrideMode.SHADOW, reason, "kim müller")


async def test_a_ledger_that_lost_its_data_is_restored_with_a_higher_epoch(verbs: Verbs) -> None:
    cached = (await verbs.report(failed=3)).snapshot
    await verbs.bench.forget()
    await verbs.bench.advance(100)
    assert (await verbs.read()).snapshot.epoch == 0
    restored = (await verbs.ledger.restore(NAME, verbs.terms, "a", cached.restore_point())).snapshot
    assert (restored.state, restored.left_ms, restored.open_count) == (OPEN, 500, 1)
    assert restored.epoch > cached.epoch


async def test_with_a_quorum_failed_probes_of_two_replicas_do_not_let_each_replica_probe_at_once(
    bench: Bench,
) -> None:
    verbs = Verbs(bench, terms(quorum=3))
    for by in "abc":
        await verbs.report(failed=1, by=by, failing=True)
    await bench.advance(500)
    for by in "ab":
        assert (await verbs.lease(f"of {by}", by=by)).granted
        assert (await verbs.settle(Outcome.FAILED, f"of {by}", by=by)).snapshot.state is HALF_OPEN
    assert [(await verbs.lease("again", by=by)).wait_ms for by in "ab"] == [600, 600]
    assert (await verbs.lease("of c", by="c")).granted


async def test_at_most_a_hundred_voters_are_named_but_all_of_them_count(bench: Bench) -> None:
    verbs = Verbs(bench, terms(quorum=121))
    for number in range(120):
        await verbs.report(failed=1, by=f"r{number:03}", failing=True)
    assert (await verbs.read()).snapshot.voters == tuple(f"r{number:03}" for number in range(100))
    assert (await verbs.report(failed=1, by="r120", failing=True)).snapshot.state is OPEN


async def test_a_restore_that_is_older_than_the_ledger_changes_nothing(verbs: Verbs) -> None:
    opened = (await verbs.report(failed=3)).snapshot
    for late in (RestorePoint(CLOSED, opened.epoch - 1), opened.restore_point()):
        assert (await verbs.ledger.restore(NAME, verbs.terms, "a", late)).snapshot == opened


async def test_a_conflicting_epoch_is_replaced_by_a_higher_one_when_the_other_transition_is_restored(
    bench: Bench,
) -> None:
    verbs = Verbs(bench, terms(probe_successes=1))
    await verbs.probing()
    await bench.copy()
    lost = (await verbs.settle(Outcome.FAILED)).snapshot
    await bench.fall_back()
    won = (await verbs.settle(Outcome.OK)).snapshot
    assert (lost.state, won.state, won.epoch) == (OPEN, CLOSED, lost.epoch)
    restored = (await verbs.ledger.restore(NAME, verbs.terms, "a", lost.restore_point())).snapshot
    assert (restored.state, restored.left_ms, restored.epoch) == (OPEN, lost.left_ms, lost.epoch + 1)
    for late in (lost, won):
        assert (await verbs.ledger.restore(NAME, verbs.terms, "b", late.restore_point())).snapshot == restored


async def test_a_conflicting_restore_does_not_end_the_ledgers_running_open_duration(bench: Bench) -> None:
    verbs = Verbs(bench, terms(probe_successes=1))
    await verbs.probing()
    await bench.copy()
    won = (await verbs.settle(Outcome.OK)).snapshot
    await bench.fall_back()
    lost = (await verbs.settle(Outcome.FAILED)).snapshot
    restored = (await verbs.ledger.restore(NAME, verbs.terms, "a", won.restore_point())).snapshot
    assert (restored.state, restored.left_ms, restored.epoch) == (OPEN, lost.left_ms, lost.epoch + 1)


async def test_a_conflicting_restore_does_not_replace_the_ledgers_own_override(verbs: Verbs) -> None:
    await verbs.bench.copy()
    opened = (await verbs.report(failed=3)).snapshot
    await verbs.bench.fall_back()
    overridden = (await verbs.override(OverrideMode.SHADOW, 700)).snapshot
    assert overridden.epoch == opened.epoch
    restored = (await verbs.ledger.restore(NAME, verbs.terms, "a", opened.restore_point())).snapshot
    assert (restored.state, restored.override, restored.epoch) == (CLOSED, overridden.override, opened.epoch + 1)
    assert (await verbs.read()).snapshot == restored


async def test_an_open_circuit_that_reads_as_half_open_is_not_a_conflict(verbs: Verbs) -> None:
    opened = (await verbs.report(failed=3)).snapshot
    await verbs.bench.advance(500)
    known = (await verbs.read()).snapshot
    assert known.state is HALF_OPEN
    assert (await verbs.ledger.restore(NAME, verbs.terms, "a", opened.restore_point())).snapshot == known
    await verbs.bench.advance(1000)
    assert (await verbs.ledger.restore(NAME, verbs.terms, "a", known.restore_point())).snapshot.epoch == known.epoch


async def test_a_duplicate_lease_request_and_a_duplicate_settle_count_once(verbs: Verbs) -> None:
    await verbs.probing()
    assert (await verbs.settle(Outcome.OK)).snapshot.probe_successes == 1
    assert not (await verbs.lease()).granted
    again = (await verbs.settle(Outcome.OK)).snapshot
    assert (again.state, again.probe_successes) == (HALF_OPEN, 1)
    assert (await verbs.lease("t2")).granted


async def test_a_duplicate_batch_counts_once(verbs: Verbs) -> None:
    batch = Batch("a", 7, (Tally(0, verbs.bench.now_ms, Counts(1, 1)),))
    for _ in range(2):
        reply = await verbs.ledger.record(NAME, verbs.terms, batch, 0.0)
    assert reply.snapshot.counts == Counts(1, 1)


async def test_many_circuits_are_read_at_once_each_under_its_own_terms(verbs: Verbs) -> None:
    await verbs.report(failed=3)
    found = await verbs.ledger.read({NAME: verbs.terms, "embedder.x": terms(window_ms=5000), "c": verbs.terms})
    assert [(name, reply.snapshot.state) for name, reply in found.items()] == [
        (NAME, OPEN), ("embedder.x", CLOSED), ("c", CLOSED),
    ]  # fmt: skip
    assert await verbs.ledger.read({}) == {}


async def test_events_can_be_read_from_a_given_id_on(verbs: Verbs) -> None:
    await verbs.report(failed=3)
    first = await verbs.ledger.events(NAME)
    await verbs.bench.advance(500)
    await verbs.lease()
    later = await verbs.ledger.events(NAME, after=first[-1].id)
    assert [(e.before, e.after, e.by) for e in first] == [("closed", "open", "a")]
    assert [(e.before, e.after) for e in later] == [("open", "half_open")]
    assert (first[0].failed, later[0].previous_epoch) == (3, first[0].epoch)
    assert await verbs.ledger.events("never.used") == []


async def test_an_event_names_its_circuit_and_the_replica_that_restored_it(verbs: Verbs) -> None:
    await verbs.ledger.restore(NAME, verbs.terms, "c", RestorePoint(OPEN, 7, left_ms=400))
    assert [(e.circuit, e.trigger, e.by) for e in await verbs.ledger.events(NAME)] == [
        (NAME, "ledger restored, resting", "c")
    ]


async def test_the_event_of_an_override_says_when_it_will_end(verbs: Verbs) -> None:
    begins = await verbs.override(OverrideMode.OPEN, 2000)
    await verbs.override(OverrideMode.SHADOW)
    await verbs.override(None)
    entries = await verbs.ledger.events(NAME)
    assert begins.snapshot.override is not None
    assert [entry.until_ms for entry in entries] == [begins.snapshot.override.until_ms, None, None]


async def test_a_replica_that_left_is_not_silent_and_one_that_did_not_leave_is(verbs: Verbs) -> None:
    ledger = verbs.ledger
    for incarnation in ("left~1", "dead~1"):
        await ledger.beat(incarnation, "{}", [], 1000)
    sent_ms = {beat.incarnation: beat.at_ms for beat in await ledger.replicas()}["dead~1"]
    await ledger.leave("left~1")
    assert await ledger.fallen_silent(sent_ms) == {}
    assert await ledger.fallen_silent(sent_ms + 1) == {"dead~1": sent_ms}


async def test_a_reply_says_whether_anything_was_published(verbs: Verbs) -> None:
    reported = [
        (await verbs.report(ok=1)).published,
        (await verbs.report(failed=3)).published,
        (await verbs.lease()).published,
    ]
    await verbs.bench.advance(500)
    reported += [
        (await verbs.lease()).published,
        (await verbs.settle(Outcome.CANCELLED)).published,
        (await verbs.read()).published,
    ]
    assert reported == [False, True, False, True, True, False]


async def test_a_reply_says_how_long_its_client_waits_and_a_replica_whose_probe_failed_waits_longer(
    verbs: Verbs,
) -> None:
    await verbs.probing()
    lost = await verbs.settle(Outcome.THROTTLED, asked_ms=100)
    assert (lost.wait_ms, (await verbs.lease("t2", by="a")).wait_ms, (await verbs.lease("t2", by="b")).wait_ms) == (
        600, 600, 100,
    )  # fmt: skip


async def test_jitter_extends_every_open_duration_after_the_first(verbs: Verbs) -> None:
    await verbs.probing()
    again = await verbs.ledger.settle(NAME, verbs.terms, "a", "t1", Outcome.FAILED, 0, 1.0)
    assert again.snapshot.left_ms == 1100
    await verbs.override(OverrideMode.CLOSED)
    closed = (await verbs.override(None)).snapshot
    batch = Batch("a", 1, (Tally(closed.epoch, verbs.bench.now_ms, Counts(0, 3)),))
    opened = await verbs.ledger.record(NAME, verbs.terms, batch, 1.0)
    assert opened.snapshot.left_ms == 2200


async def test_the_first_or_the_last_events_can_be_read_up_to_a_limit(verbs: Verbs) -> None:
    for mode in (OverrideMode.SHADOW, OverrideMode.CLOSED, OverrideMode.OPEN, OverrideMode.DISABLED):
        await verbs.override(mode)
    reasons = [e.reason.partition(":")[0] for e in await verbs.ledger.events(NAME)]
    assert reasons == ["shadow", "closed", "open", "disabled"]
    assert await verbs.ledger.latest(NAME) == await verbs.ledger.events(NAME)
    assert await verbs.ledger.events(NAME, limit=2) == (await verbs.ledger.events(NAME))[:2]
    assert await verbs.ledger.latest(NAME, limit=2) == (await verbs.ledger.events(NAME))[2:]


async def test_every_transition_is_pushed_with_the_previous_epoch(verbs: Verbs) -> None:
    async with aclosing(verbs.ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        assert await anext(changes) is None
        opened = (await verbs.report(failed=3)).snapshot
        reported = await asyncio.wait_for(anext(changes), PATIENCE_S)
    assert reported is not None
    assert (reported.circuit, reported.previous_epoch, reported.snapshot) == (NAME, 0, opened)


async def test_a_probe_that_ends_without_a_transition_is_pushed_under_the_same_epoch(verbs: Verbs) -> None:
    half_open = (await verbs.probing()).snapshot
    async with aclosing(verbs.ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        await verbs.settle(Outcome.CANCELLED)
        reported = await asyncio.wait_for(anext(changes), PATIENCE_S)
    assert reported is not None
    assert reported.previous_epoch == reported.snapshot.epoch == half_open.epoch
    assert reported.snapshot.slot_wait_ms == 0


async def test_replicas_send_heartbeats_and_leave(bench: Bench) -> None:
    assert await bench.ledger.beat("a-1", '{"v": 1}', ["x", "y"], 60_000) == 1
    assert await bench.ledger.beat("b-1", "{}", [], 60_000) == 2
    assert {(b.incarnation, b.body) for b in await bench.ledger.replicas()} == {("a-1", '{"v": 1}'), ("b-1", "{}")}
    assert await bench.ledger.beat("c-1", "{}", ["y"], 60_000) == 3
    now = await bench.ledger.now_ms()
    living = await bench.ledger.replicas()
    assert len(living) == 3
    assert all(now - 60_000 < b.at_ms <= now for b in living)
    await bench.ledger.leave("a-1")
    await bench.ledger.leave("never-came")
    assert {b.incarnation for b in await bench.ledger.replicas()} == {"b-1", "c-1"}
    assert await bench.ledger.known_circuits() == ["x", "y"]


@pytest.mark.parametrize("state", [CLOSED, OPEN, HALF_OPEN])
async def test_a_trial_returns_what_a_read_does_and_changes_nothing(verbs: Verbs, state: CircuitState) -> None:
    if state is not CLOSED:
        await verbs.report(failed=3)
    if state is HALF_OPEN:
        await verbs.bench.advance(500)
    events, before = await verbs.ledger.events(NAME), await verbs.read()
    assert await verbs.ledger.trial(NAME, verbs.terms) == before
    assert await verbs.read() == before
    assert (before.snapshot.state, await verbs.ledger.events(NAME)) == (state, events)


# ---- orders over circuits that each replica has for itself ----------------------------------------------------------


async def ordered(verbs: Verbs, mode: OverrideMode | None, for_ms: int | None = None) -> Reply:
    return await verbs.ledger.order(NAME, verbs.terms, mode, "maintenance", "kim", for_ms)


@pytest.mark.parametrize("mode", list(OverrideMode))
async def test_an_order_is_an_override_of_a_circuit_that_stays_closed(verbs: Verbs, mode: OverrideMode) -> None:
    found = (await ordered(verbs, mode)).snapshot
    assert found.override is not None
    assert (found.state, found.override.mode, found.override.reason) == (CLOSED, mode, "maintenance")
    ended = (await ordered(verbs, None)).snapshot
    assert (ended.state, ended.override, ended.epoch > found.epoch) == (CLOSED, None, True)


async def test_ending_an_order_that_does_not_exist_changes_nothing(verbs: Verbs) -> None:
    assert (await ordered(verbs, None)).snapshot.epoch == 0
    assert await verbs.ledger.events(NAME) == []


async def test_the_end_of_an_order_whose_time_is_up_is_recorded_once(verbs: Verbs) -> None:
    await ordered(verbs, OverrideMode.OPEN, for_ms=300)
    await verbs.ledger.expire_order(NAME, verbs.terms)
    await verbs.bench.advance(300)
    for _ in range(2):
        assert (await verbs.ledger.expire_order(NAME, verbs.terms)).snapshot.override is None
    reasons = [event.reason for event in await verbs.ledger.events(NAME)]
    assert reasons == ["open: maintenance", "the override expired"]


async def test_recording_the_end_of_an_order_does_not_end_a_newer_one(verbs: Verbs) -> None:
    await ordered(verbs, OverrideMode.OPEN, for_ms=300)
    await verbs.bench.advance(300)
    await ordered(verbs, OverrideMode.CLOSED)
    found = (await verbs.ledger.expire_order(NAME, verbs.terms)).snapshot.override
    assert found is not None
    assert found.mode is OverrideMode.CLOSED


async def test_a_lost_order_is_restored_with_what_is_left_of_its_time(verbs: Verbs) -> None:
    known = (await ordered(verbs, OverrideMode.OPEN, for_ms=1000)).snapshot
    await verbs.bench.forget()
    await verbs.bench.advance(300)
    restored = (await verbs.ledger.restore(NAME, verbs.terms, "a", known.restore_point())).snapshot
    assert (restored.state, restored.override, restored.epoch > known.epoch) == (CLOSED, known.override, True)
