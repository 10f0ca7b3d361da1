"""The contract of every ledger, tested on every kind: in memory, fakeredis, Redis 6.2 and 7, RESP2 and RESP3."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ha_rag.circuit.reply import Reply
from ha_rag.circuit.rules import Batch, RestorePoint, Tally
from ha_rag.circuit.state import CircuitState, Counts, OverrideMode
from ha_rag.circuit.terms import Terms
from ha_rag.messages import Outcome
from tests.ledger.bench import Bench, terms

CLOSED, OPEN, HALF_OPEN = CircuitState.CLOSED, CircuitState.OPEN, CircuitState.HALF_OPEN
NAME = "generator.primary"


class Hands:
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
def hands(bench: Bench) -> Hands:
    return Hands(bench, terms())


async def test_an_unused_circuit_is_closed_and_has_epoch_zero(hands: Hands) -> None:
    found = (await hands.read()).snapshot
    assert (found.state, found.epoch, found.counts) == (CLOSED, 0, Counts())


async def test_failures_of_different_replicas_add_up_and_open_the_circuit_for_all(hands: Hands) -> None:
    for replica in ("a", "b"):
        assert (await hands.report(failed=1, by=replica)).snapshot.state is CLOSED
    opened = (await hands.report(failed=1, by="c")).snapshot
    assert (opened.state, opened.left_ms, opened.opened_by) == (OPEN, 500, "c")
    assert opened.reason == "3 of 3 failed, 0 slow"


async def test_reports_of_many_replicas_in_the_same_millisecond_all_count(hands: Hands) -> None:
    now, policy = hands.bench.now_ms, terms(min_samples=1000)
    batches = [Batch(f"r{n}", 1, (Tally(0, now, Counts(1, 1)),)) for n in range(40)]
    await asyncio.gather(*(hands.ledger.record(NAME, policy, batch, 0.0) for batch in batches))
    assert (await hands.read()).snapshot.counts == Counts(40, 40)


async def test_the_open_duration_counts_down_and_then_the_circuit_reads_as_half_open(hands: Hands) -> None:
    await hands.report(failed=3)
    await hands.bench.advance(499)
    assert ((await hands.read()).snapshot.state, (await hands.read()).snapshot.left_ms) == (OPEN, 1)
    await hands.bench.advance(1)
    assert (await hands.read()).snapshot.state is HALF_OPEN


async def test_an_open_circuit_grants_no_lease_and_returns_the_time_to_wait(hands: Hands) -> None:
    await hands.report(failed=3)
    await hands.bench.advance(100)
    refused = await hands.lease()
    assert (refused.granted, refused.wait_ms) == (False, 400)


async def test_half_open_grants_one_probe_and_tells_other_replicas_when_its_lease_ends(hands: Hands) -> None:
    assert (await hands.probing()).granted
    refused = await hands.lease("t2", by="b")
    assert (refused.granted, refused.wait_ms, refused.snapshot.slot_wait_ms) == (False, 300, 300)


async def test_enough_successful_probes_close_the_circuit(hands: Hands) -> None:
    await hands.probing()
    assert (await hands.settle(Outcome.OK)).snapshot.probe_successes == 1
    await hands.lease("t2", by="b")
    closed = (await hands.settle(Outcome.OK, "t2", by="b")).snapshot
    assert (closed.state, closed.counts) == (CLOSED, Counts())


async def test_a_failed_probe_doubles_the_open_duration(hands: Hands) -> None:
    await hands.probing()
    opened = (await hands.settle(Outcome.FAILED)).snapshot
    assert (opened.state, opened.left_ms, opened.open_count) == (OPEN, 1000, 2)


async def test_a_crashed_prober_blocks_others_no_longer_than_its_lease(hands: Hands) -> None:
    await hands.probing()
    await hands.bench.advance(300)
    assert (await hands.lease("t2", by="b")).granted


async def test_a_forced_open_holds_for_all_replicas_until_its_deadline(hands: Hands) -> None:
    forced = await hands.override(OverrideMode.OPEN, 2000)
    assert (forced.snapshot.state, forced.snapshot.left_ms, forced.wait_ms) == (OPEN, 2000, -1)
    await hands.bench.advance(2000)
    assert (await hands.read()).snapshot.override is None
    assert (await hands.lease()).granted
    assert [e.trigger for e in await hands.ledger.events(NAME)] == ["forced open", "forced open ended", "probe granted"]


async def test_a_forced_open_without_a_deadline_ends_only_when_it_is_ended(hands: Hands) -> None:
    await hands.override(OverrideMode.OPEN)
    await hands.bench.advance(10_000_000)
    assert (await hands.read()).snapshot.left_ms == -1
    assert (await hands.override(None)).snapshot.state is HALF_OPEN


async def test_an_operators_name_and_reason_reach_all_replicas_unchanged(hands: Hands) -> None:
    reason = 'wegen "Wartung": {1}\n\\ ü 🙂'
    await hands.ledger.override(NAME, hands.terms, OverrideMode.SHADOW, reason, "kim müller", None)
    word = (await hands.read()).snapshot.override
    assert word is not None
    assert (word.mode, word.reason, word.by) == (OverrideMode.SHADOW, reason, "kim müller")


async def test_a_ledger_that_lost_its_data_is_restored_with_a_higher_epoch(hands: Hands) -> None:
    believed = (await hands.report(failed=3)).snapshot
    await hands.bench.forget()
    await hands.bench.advance(100)
    assert (await hands.read()).snapshot.epoch == 0
    taught = (await hands.ledger.restore(NAME, hands.terms, "a", believed.restore_point())).snapshot
    assert (taught.state, taught.left_ms, taught.open_count) == (OPEN, 500, 1)
    assert taught.epoch > believed.epoch


async def test_with_a_quorum_failed_probes_of_two_replicas_do_not_let_each_replica_probe_at_once(
    bench: Bench,
) -> None:
    hands = Hands(bench, terms(quorum=3))
    for by in "abc":
        await hands.report(failed=1, by=by, failing=True)
    await bench.advance(500)
    for by in "ab":
        assert (await hands.lease(f"of {by}", by=by)).granted
        assert (await hands.settle(Outcome.FAILED, f"of {by}", by=by)).snapshot.state is HALF_OPEN
    assert [(await hands.lease("again", by=by)).wait_ms for by in "ab"] == [600, 600]
    assert (await hands.lease("of c", by="c")).granted


async def test_at_most_a_hundred_voters_are_named_but_all_of_them_count(bench: Bench) -> None:
    hands = Hands(bench, terms(quorum=121))
    for number in range(120):
        await hands.report(failed=1, by=f"r{number:03}", failing=True)
    assert (await hands.read()).snapshot.voters == tuple(f"r{number:03}" for number in range(100))
    assert (await hands.report(failed=1, by="r120", failing=True)).snapshot.state is OPEN


async def test_a_restore_that_is_older_than_the_ledger_changes_nothing(hands: Hands) -> None:
    opened = (await hands.report(failed=3)).snapshot
    for late in (RestorePoint(CLOSED, opened.epoch - 1), opened.restore_point()):
        assert (await hands.ledger.restore(NAME, hands.terms, "a", late)).snapshot == opened


async def test_a_conflicting_epoch_is_replaced_by_a_higher_one_when_the_other_transition_is_restored(
    bench: Bench,
) -> None:
    hands = Hands(bench, terms(probe_successes=1))
    await hands.probing()
    await bench.copy()
    lost = (await hands.settle(Outcome.FAILED)).snapshot
    await bench.fall_back()
    won = (await hands.settle(Outcome.OK)).snapshot
    assert (lost.state, won.state, won.epoch) == (OPEN, CLOSED, lost.epoch)
    taught = (await hands.ledger.restore(NAME, hands.terms, "a", lost.restore_point())).snapshot
    assert (taught.state, taught.left_ms, taught.epoch) == (OPEN, lost.left_ms, lost.epoch + 1)
    for late in (lost, won):
        assert (await hands.ledger.restore(NAME, hands.terms, "b", late.restore_point())).snapshot == taught


async def test_a_conflicting_restore_does_not_end_the_ledgers_running_open_duration(bench: Bench) -> None:
    hands = Hands(bench, terms(probe_successes=1))
    await hands.probing()
    await bench.copy()
    won = (await hands.settle(Outcome.OK)).snapshot
    await bench.fall_back()
    lost = (await hands.settle(Outcome.FAILED)).snapshot
    taught = (await hands.ledger.restore(NAME, hands.terms, "a", won.restore_point())).snapshot
    assert (taught.state, taught.left_ms, taught.epoch) == (OPEN, lost.left_ms, lost.epoch + 1)


async def test_a_conflicting_restore_does_not_replace_the_ledgers_own_override(hands: Hands) -> None:
    await hands.bench.copy()
    opened = (await hands.report(failed=3)).snapshot
    await hands.bench.fall_back()
    spoken = (await hands.override(OverrideMode.SHADOW, 700)).snapshot
    assert spoken.epoch == opened.epoch
    taught = (await hands.ledger.restore(NAME, hands.terms, "a", opened.restore_point())).snapshot
    assert (taught.state, taught.override, taught.epoch) == (CLOSED, spoken.override, opened.epoch + 1)
    assert (await hands.read()).snapshot == taught


async def test_an_open_circuit_that_reads_as_half_open_is_not_a_conflict(hands: Hands) -> None:
    opened = (await hands.report(failed=3)).snapshot
    await hands.bench.advance(500)
    known = (await hands.read()).snapshot
    assert known.state is HALF_OPEN
    assert (await hands.ledger.restore(NAME, hands.terms, "a", opened.restore_point())).snapshot == known
    await hands.bench.advance(1000)
    assert (await hands.ledger.restore(NAME, hands.terms, "a", known.restore_point())).snapshot.epoch == known.epoch


async def test_a_duplicate_lease_request_and_a_duplicate_settle_count_once(hands: Hands) -> None:
    await hands.probing()
    assert (await hands.settle(Outcome.OK)).snapshot.probe_successes == 1
    assert not (await hands.lease()).granted
    again = (await hands.settle(Outcome.OK)).snapshot
    assert (again.state, again.probe_successes) == (HALF_OPEN, 1)
    assert (await hands.lease("t2")).granted


async def test_a_duplicate_batch_counts_once(hands: Hands) -> None:
    batch = Batch("a", 7, (Tally(0, hands.bench.now_ms, Counts(1, 1)),))
    for _ in range(2):
        reply = await hands.ledger.record(NAME, hands.terms, batch, 0.0)
    assert reply.snapshot.counts == Counts(1, 1)


async def test_many_circuits_are_read_at_once_each_under_its_own_terms(hands: Hands) -> None:
    await hands.report(failed=3)
    found = await hands.ledger.read({NAME: hands.terms, "embedder.x": terms(window_ms=5000), "c": hands.terms})
    assert [(name, reply.snapshot.state) for name, reply in found.items()] == [
        (NAME, OPEN), ("embedder.x", CLOSED), ("c", CLOSED),
    ]  # fmt: skip
    assert await hands.ledger.read({}) == {}


async def test_events_can_be_read_from_a_given_id_on(hands: Hands) -> None:
    await hands.report(failed=3)
    first = await hands.ledger.events(NAME)
    await hands.bench.advance(500)
    await hands.lease()
    later = await hands.ledger.events(NAME, after=first[-1].id)
    assert [(e.before, e.after, e.by) for e in first] == [("closed", "open", "a")]
    assert [(e.before, e.after) for e in later] == [("open", "half_open")]
    assert (first[0].failed, later[0].previous_epoch) == (3, first[0].epoch)
    assert await hands.ledger.events("never.used") == []


async def test_an_event_names_its_circuit_and_the_replica_that_restored_it(hands: Hands) -> None:
    await hands.ledger.restore(NAME, hands.terms, "c", RestorePoint(OPEN, 7, left_ms=400))
    assert [(e.circuit, e.trigger, e.by) for e in await hands.ledger.events(NAME)] == [
        (NAME, "ledger restored, resting", "c")
    ]


async def test_a_reply_says_whether_anything_was_published(hands: Hands) -> None:
    told = [
        (await hands.report(ok=1)).published,
        (await hands.report(failed=3)).published,
        (await hands.lease()).published,
    ]
    await hands.bench.advance(500)
    told += [
        (await hands.lease()).published,
        (await hands.settle(Outcome.CANCELLED)).published,
        (await hands.read()).published,
    ]
    assert told == [False, True, False, True, True, False]


async def test_a_reply_says_how_long_its_client_waits_and_a_replica_whose_probe_failed_waits_longer(
    hands: Hands,
) -> None:
    await hands.probing()
    lost = await hands.settle(Outcome.THROTTLED, asked_ms=100)
    assert (lost.wait_ms, (await hands.lease("t2", by="a")).wait_ms, (await hands.lease("t2", by="b")).wait_ms) == (
        600, 600, 100,
    )  # fmt: skip


async def test_jitter_extends_every_open_duration_after_the_first(hands: Hands) -> None:
    await hands.probing()
    again = await hands.ledger.settle(NAME, hands.terms, "a", "t1", Outcome.FAILED, 0, 1.0)
    assert again.snapshot.left_ms == 1100
    await hands.override(OverrideMode.CLOSED)
    closed = (await hands.override(None)).snapshot
    batch = Batch("a", 1, (Tally(closed.epoch, hands.bench.now_ms, Counts(0, 3)),))
    opened = await hands.ledger.record(NAME, hands.terms, batch, 1.0)
    assert opened.snapshot.left_ms == 2200


async def test_the_first_or_the_last_events_can_be_read_up_to_a_limit(hands: Hands) -> None:
    for mode in (OverrideMode.SHADOW, OverrideMode.CLOSED, OverrideMode.OPEN, OverrideMode.DISABLED):
        await hands.override(mode)
    reasons = [e.reason.partition(":")[0] for e in await hands.ledger.events(NAME)]
    assert reasons == ["shadow", "closed", "open", "disabled"]
    assert await hands.ledger.latest(NAME) == await hands.ledger.events(NAME)
    assert await hands.ledger.events(NAME, limit=2) == (await hands.ledger.events(NAME))[:2]
    assert await hands.ledger.latest(NAME, limit=2) == (await hands.ledger.events(NAME))[2:]


async def test_every_transition_is_pushed_with_the_previous_epoch(hands: Hands) -> None:
    async with aclosing(hands.ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        assert await anext(changes) is None
        opened = (await hands.report(failed=3)).snapshot
        told = await asyncio.wait_for(anext(changes), 5)
    assert told is not None
    assert (told.circuit, told.previous_epoch, told.snapshot) == (NAME, 0, opened)


async def test_a_probe_that_ends_without_a_transition_is_pushed_under_the_same_epoch(hands: Hands) -> None:
    half_open = (await hands.probing()).snapshot
    async with aclosing(hands.ledger.changes()) as changes:  # type: ignore[type-var]  # an async generator
        await anext(changes)
        await hands.settle(Outcome.CANCELLED)
        told = await asyncio.wait_for(anext(changes), 5)
    assert told is not None
    assert told.previous_epoch == told.snapshot.epoch == half_open.epoch
    assert told.snapshot.slot_wait_ms == 0


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
