"""What each scenario of the walk shows, step by step: the tiers that serve, and the state of the predicted circuit."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.learn.lesson import Scenario
from ha_rag.learn.page import page
from ha_rag.learn.scenarios import SCENARIOS

PAGE = Path(__file__).parents[2] / "docs" / "scenarios.md"
EXPECTED = {
    "normal": [("primary primary primary", "closed")],
    "embedders": [
        ("primary primary primary", ""),
        ("secondary primary primary", "closed"),
        ("cached primary primary", "open"),
        ("zero primary primary", "closed"),
    ],
    "retrieval": [("primary reduced primary", "closed"), ("primary none primary", "closed")],
    "generation": [
        ("primary primary fallback", ""),
        ("primary none fallback", "closed"),
        ("primary none plain", "open"),
    ],
    "opening": [
        ("primary primary primary", ""),
        ("secondary primary primary", "closed"),
        ("secondary primary primary", "open"),
        ("secondary primary primary", "open"),
    ],
    "recovery-timeout": [
        *[("secondary primary primary", "")] * 3,
        ("secondary primary primary", "open"),
        ("primary primary primary", "half_open"),
    ],
    "failed-probe": [
        *[("secondary primary primary", "")] * 3,
        ("secondary primary primary", "open"),
        ("secondary primary primary", "open"),
    ],
    "recovery": [
        *[("secondary primary primary", "")] * 3,
        ("primary primary primary", "half_open"),
        ("primary primary primary", "closed"),
        ("secondary primary primary", "closed"),
    ],
    "several": [
        *[("secondary reduced fallback", "")] * 2,
        ("secondary reduced fallback", "open"),
        ("secondary reduced primary", "open"),
    ],
    "quality": [
        ("primary primary primary", ""),
        ("zero primary primary", "closed"),
        ("cached primary primary", "open"),
    ],
    "last-good-answer": [
        ("primary primary primary", ""),
        ("cached primary cached", "closed"),
        ("zero primary fallback", "closed"),
        ("cached primary cached", "open"),
    ],
    "two-replicas": [*[("secondary primary primary", "")] * 2, *[("secondary primary primary", "open")] * 2],
}


def outcome(scenario: Scenario) -> list[tuple[str, str]]:
    with scenario.lab() as lab:
        return [
            (
                " ".join(step.run(lab).served_by.values()),
                lab.health(step.shown_replica)[step.predict].state if step.predict else "",
            )
            for step in scenario.steps
        ]


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_every_step_has_the_expected_outcome(scenario: Scenario) -> None:
    assert outcome(scenario) == EXPECTED[scenario.name]


def test_every_scenario_asks_for_a_prediction_and_explains_it() -> None:
    for scenario in SCENARIOS:
        assert any(step.predict for step in scenario.steps), scenario.name
        assert all(bool(step.predict) == bool(step.why) for step in scenario.steps), scenario.name


def test_all_three_states_are_predicted_somewhere() -> None:
    assert {state for steps in EXPECTED.values() for _, state in steps} >= {"closed", "open", "half_open"}


def test_the_second_replica_learns_without_any_call_of_its_own() -> None:
    scenario = next(each for each in SCENARIOS if each.name == "two-replicas")
    with scenario.lab() as lab:
        for step in scenario.steps:
            step.run(lab)
        first, second = lab.health(1)["embedder.primary"], lab.health(2)["embedder.primary"]
    assert (first.calls, first.failures) == (3, 3)
    assert (second.state, second.calls, second.rejected) == ("open", 0, 1)


def test_the_last_good_answer_says_its_age_and_is_not_given_to_another_question() -> None:
    scenario = next(each for each in SCENARIOS if each.name == "last-good-answer")
    with scenario.lab() as lab:
        good, earlier, other, again = (step.run(lab) for step in scenario.steps)
    assert [answer.age_s for answer in (good, earlier, other, again)] == [None, 3600.0, None, 3600.0]
    assert earlier.text.endswith(good.text)
    assert "1 hour ago" in earlier.text


def test_the_page_shows_the_real_output() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m ha_rag.learn.page > docs/scenarios.md"
