"""Feedback: ids that only this fleet gives, one rating for each answer and rater, and satisfaction with intervals."""

from __future__ import annotations

import dataclasses

import pytest

from ha_rag.clock import ManualClock
from ha_rag.ledger.store.feedback import MemoryFeedbackStore
from ha_rag.telemetry.answer_ids import AHEAD_S, VALID_S, AnswerIds, Made
from ha_rag.telemetry.feedback import BURST, PER_S, Feedback, groups
from ha_rag.telemetry.satisfaction import cost_of_degrading, table, wilson

TIERS = {
    "embedder": ("primary", "secondary", "zero"),
    "retriever": ("primary", "none"),
    "generator": ("primary", "extractive", "cached", "plain"),
}
SERVED = {"embedder": "secondary", "retriever": "primary", "generator": "primary"}
SECRET = "ab" * 32


def ids(clock: ManualClock | None = None, secret: str = SECRET) -> AnswerIds:
    made = AnswerIds(TIERS, clock)
    made.sign_with(secret)
    return made


def test_an_id_tells_any_replica_of_the_fleet_how_the_answer_was_made() -> None:
    answer = ids().new(SERVED, {"embedder"})
    assert ids().read(answer) == Made(("embedder",), ("embedder.secondary", "retriever.primary", "generator.primary"))
    assert ids().read(ids().new(SERVED, ())) == Made(
        (), ("embedder.secondary", "retriever.primary", "generator.primary")
    )


def test_answers_of_one_moment_have_ids_of_their_own() -> None:
    made = ids(ManualClock())
    assert len({made.new(SERVED, ()) for _ in range(20_000)}) == 20_000


def test_an_id_that_the_fleet_did_not_give_is_not_known() -> None:
    answer = ids().new(SERVED, ())
    foreign = [
        ids(secret="cd" * 32).new(SERVED, ()), "", "a1", "0" * len(answer), answer.upper(), answer[:-2], answer + "00",
        "é" * len(answer), *(_flipped(answer, n) for n in range(len(answer))),
    ]  # fmt: skip
    assert [ids().read(given) for given in foreign] == [None] * len(foreign)


def _flipped(answer: str, at: int) -> str:
    return answer[:at] + f"{int(answer[at], 16) ^ 1:x}" + answer[at + 1 :]


def test_an_id_is_known_for_a_week_and_not_from_the_future() -> None:
    clock = ManualClock()
    early, late = ids(clock).new(SERVED, ()), ManualClock()
    clock.advance(VALID_S + 1)
    assert ids(clock).read(early) is None
    ahead = ids(clock).new(SERVED, ())
    assert ids(late).read(ahead) is None
    late.advance(VALID_S + 1 - AHEAD_S)
    assert ids(late).read(ahead) is not None


def test_ids_from_before_redis_was_reached_stay_known_here() -> None:
    made = AnswerIds(TIERS)
    early = made.new(SERVED, ())
    made.sign_with(SECRET)
    assert made.read(early) is not None
    assert ids().read(early) is None


def test_a_tier_that_is_not_configured_here_is_left_out() -> None:
    answer = AnswerIds({**TIERS, "embedder": ("gone",)})
    answer.sign_with(SECRET)
    read = ids().read(answer.new({**SERVED, "embedder": "gone"}, ()))
    assert read == Made((), ("retriever.primary", "generator.primary"))


def test_a_rating_counts_for_its_degradation_its_tiers_and_all() -> None:
    assert groups(Made((), ("generator.primary",))) == ["degradation:none", "tier:generator.primary", "all"]
    assert groups(Made(("embedder", "generator"), ())) == ["degradation:embedder+generator", "degradation:any", "all"]


@pytest.mark.parametrize(
    ("up", "ratings", "interval"),
    [(0, 0, [0, 1]), (0, 10, [0, 0.2775]), (5, 10, [0.2366, 0.7634]), (81, 263, [0.2553, 0.3662])],
)
def test_the_interval_is_wilsons(up: int, ratings: int, interval: list[float]) -> None:
    # 81 of 263: Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    assert list(wilson(up, ratings)) == pytest.approx(interval, abs=1e-4)


def test_what_degrading_costs_is_a_difference_with_newcombes_interval() -> None:
    # 56 of 70 and 48 of 80: Newcombe 1998, table II, (a), method 10.
    rows = table({"degradation:none": {"up": 56, "down": 14}, "degradation:any": {"up": 48, "down": 32}})
    cost = cost_of_degrading(rows)
    assert cost is not None
    assert dataclasses.astuple(cost) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_without_ratings_of_both_kinds_nothing_is_said_of_the_cost() -> None:
    assert cost_of_degrading(table({})) is None
    assert cost_of_degrading(table({"degradation:none": {"up": 5, "down": 1}})) is None
    neutral = {"degradation:none": {"up": 5, "down": 1}, "degradation:any": {"neutral": 3}}
    assert cost_of_degrading(table(neutral)) is None  # type: ignore[arg-type]  # verdicts


def test_a_flood_of_ratings_is_bounded() -> None:
    clock = ManualClock()
    feedback = Feedback(MemoryFeedbackStore(), ids(), clock)
    taken = sum(feedback.wait_s() == 0 for _ in range(1_000))
    assert taken == BURST
    assert 0 < feedback.wait_s() <= 1 / PER_S
    clock.advance(1.0)
    assert sum(feedback.wait_s() == 0 for _ in range(1_000)) == PER_S
