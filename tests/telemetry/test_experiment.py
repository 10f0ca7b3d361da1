"""What a replica counts of an experiment, what it does while Redis is away, and what is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ha_rag.clock import ManualClock
from ha_rag.errors import LedgerUnavailableError
from ha_rag.events import QuestionAnswered
from ha_rag.ledger.store.experiment import Batch, MemoryExperimentStore, Told
from ha_rag.ledger.store.experiment_counts import (
    LIKED,
    ExperimentKey,
    Tally,
    share,
    total,
    units,
)
from ha_rag.messages import AssignedArm
from ha_rag.telemetry.answer_ids import ID_LENGTHS, AnswerIds
from ha_rag.telemetry.experiment import MOST_WAITING, UNITS_AT_ONCE, UNITS_REMEMBERED, ExperimentCounter
from ha_rag.telemetry.experiment_report import MANY_UNITS, Compared, ComparedArm, read_compared, report

KEY = ExperimentKey("bigger", "01234567", (1, 1))
COMPARED = Compared("bigger", [ComparedArm("small", 1), ComparedArm("large", 1, {"generator": "large"})], 2.0)
SMALL, LARGE = AssignedArm("bigger", "small", True, unit=1), AssignedArm("bigger", "large", True, unit=2)


class Store(MemoryExperimentStore):
    """A store that may be away, and that may lose the reply to a batch it has counted."""

    is_away = False
    reply_is_lost = False
    batches = 0

    async def count(self, key: ExperimentKey, batch: Batch) -> None:
        if self.is_away:
            raise LedgerUnavailableError("gone")
        self.batches += 1
        if (batch.owner, batch.number) not in self.known:
            self.known.add((batch.owner, batch.number))
            await super().count(key, batch)
        if self.reply_is_lost:
            self.reply_is_lost = False
            raise LedgerUnavailableError("no reply")

    async def told(self, key: ExperimentKey) -> Told:
        if self.is_away:
            raise LedgerUnavailableError("gone")
        return await super().told(key)

    def __init__(self) -> None:
        self.clock = ManualClock()
        super().__init__(self.clock.unix_ms)
        self.known: set[tuple[str, int]] = set()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def counter(store: Store) -> ExperimentCounter:
    return ExperimentCounter(store, KEY, COMPARED, "one", clock=store.clock)


def answered(assigned: AssignedArm | None, **changed: Any) -> QuestionAnswered:
    usual = QuestionAnswered(
        at_ms=0, answer="a", ms=100.0, served_by={}, degraded_stages=(), shared_state="fresh", experiment=assigned
    )
    return replace(usual, **changed)


async def told(counter: ExperimentCounter) -> Mapping[str, float]:
    await counter.send()
    await counter.refresh()
    return counter.told.counts


async def test_each_answer_counts_for_the_arm_that_was_assigned_even_if_another_tier_served(
    counter: ExperimentCounter,
) -> None:
    counter(answered(SMALL))
    counter(answered(replace(LARGE, as_assigned=False), degraded_stages=("generator",)))
    counter(answered(replace(LARGE, unit=3), answered=False, ms=2_500.0))
    counter(answered(replace(LARGE, unit=4, sticky=False), broken=True))
    await told(counter)
    small, large = counter.report().arms
    assert (small.questions, small.answered, small.otherwise, small.degraded) == (1, 1, 0, 0)
    assert (large.questions, large.answered, large.otherwise, large.degraded) == (3, 1, 1, 1)
    assert (large.broken, large.loose, large.units) == (1, 1, 3)
    assert large.shares["answered"].up == 1
    assert large.shares["undegraded"].up == 2
    assert large.shares["in_time"].up == 2
    assert large.p50_ms == pytest.approx(100, rel=0.03)
    assert large.p99_ms == pytest.approx(2_500, rel=0.03)


async def test_answers_without_an_arm_of_this_experiment_or_after_its_end_do_not_count(
    counter: ExperimentCounter,
) -> None:
    foreign = AssignedArm("another", "small", True)
    for assigned in (None, foreign, replace(SMALL, arm="gone"), replace(SMALL, counted=False)):
        counter(answered(assigned))
    assert not {name for name in await told(counter) if name.startswith(("total", "units"))}


async def test_only_the_first_question_of_a_person_is_an_observation(counter: ExperimentCounter, store: Store) -> None:
    for _ in range(5):
        counter(answered(SMALL))
    counts = await told(counter)
    assert counts[total(0, "questions")] == 5
    assert counts[units("1:1", 0)] == counts[share("answered", 0, "n")] == 1


async def test_while_redis_is_away_counts_wait_within_bounds_and_arrive_later(
    counter: ExperimentCounter, store: Store
) -> None:
    store.is_away = True
    for unit in range(MOST_WAITING + 100):
        counter(answered(replace(SMALL, unit=unit)))
    with pytest.raises(LedgerUnavailableError):
        await counter.send()
    assert counter.left_out == 100
    store.is_away = False
    counts = await told(counter)
    assert counts[total(0, "questions")] == MOST_WAITING + 100
    assert counts[units("1:1", 0)] == MOST_WAITING
    assert store.batches == MOST_WAITING / UNITS_AT_ONCE
    assert any("100 users or sessions were left out" in warning for warning in counter.report().warnings)


async def test_a_batch_whose_reply_was_lost_is_sent_again_and_counted_once(
    counter: ExperimentCounter, store: Store
) -> None:
    store.reply_is_lost = True
    counter(answered(SMALL))
    with pytest.raises(LedgerUnavailableError):
        await counter.send()
    counter(answered(LARGE))
    counts = await told(counter)
    assert (counts[total(0, "questions")], counts[total(1, "questions")]) == (1, 1)
    assert store.batches == 3


async def test_what_is_remembered_of_people_is_bounded(counter: ExperimentCounter) -> None:
    for unit in range(UNITS_REMEMBERED + 500):
        counter(answered(replace(SMALL, unit=unit)))
        if unit % 1_000 == 0:
            await counter.send()
    assert len(counter._known) == UNITS_REMEMBERED


async def test_counts_that_redis_lost_are_told_and_people_count_anew(
    counter: ExperimentCounter, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    counter(answered(SMALL))
    await told(counter)
    store.tallies.clear()
    store.clock.advance(60.0)
    await counter.refresh()
    assert "Redis has lost what was counted of the experiment bigger" in caplog.text
    counter(answered(SMALL))
    counts = await told(counter)
    assert counts[units("1:1", 0)] == 1
    found = counter.report()
    assert found.lost == store.clock.unix_ms() / 1000
    assert any("Redis lost what was counted earlier" in warning for warning in found.warnings)


async def test_an_operators_end_reaches_the_split(counter: ExperimentCounter, store: Store) -> None:
    heard: list[str] = []
    counter.on_ended = heard.append
    await counter.end("large")
    assert counter.report().ended == "large"
    await counter.end("")
    assert heard == ["large", ""]


async def test_a_counter_that_stops_sends_the_rest(counter: ExperimentCounter, store: Store) -> None:
    async with counter.running():
        counter(answered(SMALL))
    assert (await store.told(KEY)).counts[total(0, "questions")] == 1
    store.is_away = True
    async with counter.running():
        counter(answered(SMALL))


def rated(first: float, second: float, number: int) -> Tally:
    """So many ratings of each arm, with these shares of likes, evenly mixed."""
    tally = Tally()
    for n in range(number):
        for arm, likes in enumerate((first, second)):
            tally.rate("1:1", arm, 2 * n + arm, int((n + 1) * likes) - int(n * likes))
    return tally


@pytest.mark.parametrize(
    ("first", "second", "better", "words"),
    [
        (0.5, 0.9, "large", "large is liked more than small: by "),
        (0.9, 0.5, "small", "small is liked more than large: by "),
        (0.7, 0.7, None, "no verdict yet: large may be liked between "),
    ],
)
def test_the_verdict_names_the_arm_that_people_like_more(
    first: float, second: float, better: str | None, words: str
) -> None:
    found = report(Told(rated(first, second, 300).fields), COMPARED, "1:1")
    assert found.better == better
    assert found.verdict.startswith(words)
    liked = found.differences[0]
    assert liked.metric == LIKED
    assert liked.points == pytest.approx(second - first, abs=0.02)


def test_before_the_first_block_nothing_is_said() -> None:
    found = report(Told(rated(0.5, 0.9, 9).fields), COMPARED, "1:1")
    assert found.differences[0].points is None
    assert found.verdict == "no verdict yet: too few people have rated answers of both arms"


def test_a_guardrail_names_what_the_second_arm_makes_worse() -> None:
    tally = Tally()
    for n in range(400):
        tally.observe("1:1", "answered", 0, 1)
        tally.observe("1:1", "answered", 1, n % 2)
    (guardrail,) = report(Told(tally.fields), COMPARED, "1:1").guardrails
    assert guardrail.startswith("large answers fewer questions: by ")


def test_units_that_are_split_otherwise_than_configured_are_doubted() -> None:
    fields = {units("1:1", 0): 700.0, units("1:1", 1): 500.0}
    assert report(Told(fields), COMPARED, "1:1").split_doubted
    assert not report(Told(fields), COMPARED, "9:1").split_doubted, "other weights have counts of their own"


def test_so_many_people_that_places_are_short_are_told() -> None:
    fields = {units("1:1", 0): MANY_UNITS / 2 + 1, units("1:1", 1): MANY_UNITS / 2}
    assert any("many later ones are left out" in one for one in report(Told(fields), COMPARED, "1:1").warnings)


@pytest.mark.parametrize(
    "changed",
    [
        {"arms": []},
        {"arms": None},
        {"weights": [1]},
        {"weights": ["x", 1]},
        {"name": "\x1b[31m"},
        {"digest": "a:b"},
        {"late_s": -1},
        {"late_s": "soon"},
        {"arms": [{"name": "a", "weight": 1, "firsts": 3}] * 2},
    ],
)
def test_what_is_compared_is_read_with_distrust(changed: dict[str, Any]) -> None:
    written = COMPARED.wire(KEY)
    assert read_compared(written) == (KEY, COMPARED)
    assert read_compared({**written, **changed}) is None
    assert read_compared({}) is None


SERVED = {"embedder": "primary"}


def ids(experiment: str = "bigger:01234567") -> AnswerIds:
    made = AnswerIds({"embedder": ("primary",)}, None, experiment, ["small", "large"])
    made.sign_with("ab" * 32)
    return made


def test_an_id_carries_the_arm_and_who_asked_to_any_replica_of_the_same_experiment() -> None:
    answer = ids().new(SERVED, (), replace(LARGE, unit=2**32 - 1))
    read = ids().read(answer)
    assert read is not None
    assert (read.arm, read.unit) == (1, 2**32 - 1)
    assert len(answer) == ID_LENGTHS[1]
    other = ids("bigger:ffffffff").read(answer)
    assert other is not None
    assert other.arm is None
    assert other.tiers == ("embedder.primary",)


def test_an_id_of_an_answer_that_does_not_count_carries_no_arm() -> None:
    for assigned in (None, replace(LARGE, counted=False)):
        answer = ids().new(SERVED, (), assigned)
        assert len(answer) == ID_LENGTHS[0]
        read = ids().read(answer)
        assert read is not None
        assert read.arm is None


def test_an_id_with_a_changed_arm_is_not_known() -> None:
    answer = ids().new(SERVED, (), LARGE)
    changed = [answer[:at] + f"{int(answer[at], 16) ^ 1:x}" + answer[at + 1 :] for at in range(len(answer))]
    assert [ids().read(one) for one in changed] == [None] * len(answer)
    assert ids().read(answer[:32] + answer[48:]) is None
