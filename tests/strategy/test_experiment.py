"""The split: the same arm for the same person everywhere, by weight, and nobody moves who need not."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.errors import ConfigurationError
from ha_rag.strategy.experiment import Arm, Experiment

ORDERS = {"embedder": ["primary", "secondary", "zero"], "generator": ["large", "small", "plain"]}
people = st.text(min_size=1, max_size=40)
weights = st.integers(1, 1000)


def split(one: int = 1, other: int = 1, name: str = "trial", *, turned: bool = False) -> Experiment:
    arms = [Arm("a", one), Arm("b", other, {"generator": "small"})]
    return Experiment(name, arms[::-1] if turned else arms, ORDERS)


def arm(experiment: Experiment, person: str) -> str:
    return experiment.assign(person)[0].arm


@given(people, weights, weights)
def test_a_person_always_has_the_same_arm_whatever_the_order_of_the_arms(person: str, one: int, other: int) -> None:
    assert (
        arm(split(one, other), person) == arm(split(one, other), person) == arm(split(one, other, turned=True), person)
    )


@given(people, weights, weights, st.integers(1, 1000))
def test_a_greater_weight_moves_people_into_its_arm_only(person: str, one: int, other: int, more: int) -> None:
    before, after = arm(split(one, other), person), arm(split(one, other + more), person)
    assert before == after or (before, after) == ("a", "b")


@given(people, weights, weights, st.integers(2, 5))
def test_weights_count_by_their_ratio(person: str, one: int, other: int, times: int) -> None:
    assert arm(split(one, other), person) == arm(split(one * times, other * times), person)
    assert split(one, other).weights == split(one * times, other * times).weights


@pytest.mark.parametrize(("one", "other"), [(1, 1), (9, 1), (1, 3), (1, 999)])
def test_the_split_is_by_weight(one: int, other: int) -> None:
    experiment, number = split(one, other), 20_000
    share = sum(arm(experiment, f"person {n}") == "b" for n in range(number)) / number
    wanted = other / (one + other)
    assert abs(share - wanted) < 4 * math.sqrt(wanted * (1 - wanted) / number)


def test_another_experiment_draws_independently() -> None:
    names = [f"person {n}" for n in range(10_000)]
    both = sum(arm(split(), name) == arm(split(name="another"), name) for name in names)
    assert abs(both / len(names) - 0.5) < 4 * 0.5 / math.sqrt(len(names))


def test_who_is_counted_is_drawn_independently_of_the_arm() -> None:
    assigned = [split().assign(f"person {n}")[0] for n in range(20_000)]
    upper = [one.arm for one in assigned if one.unit >= 2**31]
    assert abs(len(upper) / len(assigned) - 0.5) < 4 * 0.5 / math.sqrt(len(assigned))
    assert abs(upper.count("b") / len(upper) - 0.5) < 4 * 0.5 / math.sqrt(len(upper))


def test_another_process_draws_the_same() -> None:
    script = (
        "from tests.strategy.test_experiment import arm, split; "
        "print([arm(split(2, 3), f'person {n}') for n in range(200)])"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment
        ).stdout
        for environment in ({"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)} for seed in ("1", "2"))
    ]
    assert printed == [f"{[arm(split(2, 3), f'person {n}') for n in range(200)]}\n"] * 2


def test_the_arms_of_these_people_never_change_between_versions() -> None:
    # Replicas of two versions answer side by side during an upgrade: a change of the hash needs another name for it.
    assert "".join(arm(split(), f"person {n}") for n in range(32)) == "bbbbaaabbaaaabbbabaababaaababbba"
    assert split().assign("person 0")[0].unit == 3794183464


def test_one_that_names_nobody_draws_for_the_question_alone() -> None:
    drawn = [split().assign("")[0] for _ in range(400)]
    assert {one.arm for one in drawn} == {"a", "b"}
    assert not any(one.sticky for one in drawn)
    assert len({one.unit for one in drawn}) > 390


def test_any_text_can_name_a_person() -> None:
    for person in ("\ud800", "\x00", "é" * 100_000):
        assert arm(split(), person) in {"a", "b"}


def test_once_ended_all_are_given_the_chosen_arm_and_none_is_counted() -> None:
    experiment = split()
    experiment.ended = "b"
    drawn = [experiment.assign(f"person {n}") for n in range(50)]
    assert {(assigned.arm, assigned.counted) for assigned, _ in drawn} == {("b", False)}
    assert all(firsts == {"generator": "small"} for _, firsts in drawn)
    experiment.ended = ""
    assert {arm(experiment, f"person {n}") for n in range(50)} == {"a", "b"}


@pytest.mark.parametrize(
    ("firsts", "message"),
    [
        ({"generator": "tiny"}, "arm 'b': generator = 'tiny': must be one of large, small"),
        ({"reranker": "none"}, None),
        ({"embedder": "zero"}, None),
        ({"generator": "large"}, "both arms call the same tiers in the same order"),
        ({}, "both arms call the same tiers in the same order"),
    ],
)
def test_arms_that_cannot_be_are_refused_by_name(firsts: dict[str, str], message: str | None) -> None:
    orders = {**ORDERS, "reranker": ["model", "none"]}
    if message is None:
        assert Experiment("trial", [Arm("a"), Arm("b", 1, firsts)], orders).differing == tuple(firsts)
        return
    with pytest.raises(ConfigurationError) as refused:
        Experiment("trial", [Arm("a"), Arm("b", 1, firsts)], orders)
    assert message in str(refused.value)


def test_by_quality_the_first_tier_of_a_list_is_an_arm_of_its_own() -> None:
    arms = [Arm("chosen"), Arm("listed", 1, {"generator": "large"})]
    assert Experiment("trial", arms, ORDERS, by_quality=True).differing == ("generator",)


def test_what_is_compared_is_known_by_the_tiers_and_not_by_the_weights() -> None:
    assert split(1, 1).digest == split(9, 1).digest
    assert split().digest != split(turned=True).digest, "counts go by the order of the arms"
    other = Experiment(
        "trial", [Arm("a"), Arm("b", 1, {"generator": "small"})], {**ORDERS, "generator": ["new", "small"]}
    )
    assert other.digest != split().digest
