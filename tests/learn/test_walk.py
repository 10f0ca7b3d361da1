"""The walk: it asks, says right or not and why, keeps score, and lets a reader go at any prompt."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable

import pytest
from rich.console import Console

from ha_rag import learn
from ha_rag.learn.reader import Chance, Leaving, Person
from ha_rag.learn.scenarios import SCENARIOS
from ha_rag.learn.walk import Score, Walk, walk

NORMAL = [each for each in SCENARIOS if each.name == "normal"]
RECOVERY = [each for each in SCENARIOS if each.name == "recovery-timeout"]


def typing(*lines: str | type[BaseException]) -> Callable[[str], str]:
    """Types these lines, and then no more; notes what it was asked in `asked`."""
    left = iter(lines)

    def read(prompt: str) -> str:
        said = next(left, EOFError)
        if isinstance(said, str):
            return said
        raise said

    return read


def taken(lines: Iterable[str | type[BaseException]], scenarios=NORMAL) -> tuple[Score, str]:
    drawn = io.StringIO()
    screen = Console(file=drawn, width=100, color_system=None)
    return Walk(Person(typing(*lines)), screen, scenarios).take(), drawn.getvalue()


@pytest.mark.parametrize("word", ["closed", "c", " Closed "])
def test_a_right_prediction_is_told_and_counted(word: str) -> None:
    score, told = taken([word, ""])
    assert "Right: embedder.primary is closed. A closed circuit lets every call through." in told
    assert (score.right, score.asked, score.whole) == (1, 1, True)
    assert told.endswith("The end: 1 of 1 predictions were right.\n")


@pytest.mark.parametrize("word", ["open", "o", "half-open", "half_open", "h"])
def test_a_wrong_one_is_told_with_the_reason(word: str) -> None:
    score, told = taken([word, ""])
    assert "Not so: embedder.primary is closed. A closed circuit lets" in told
    assert (score.right, score.asked) == (0, 1)


def test_no_guess_is_no_mistake() -> None:
    score, told = taken(["", ""])
    assert "It is closed. A closed circuit lets" in told
    assert told.endswith("The end: nothing was predicted.\n")
    assert score.asked == 0


def test_a_word_that_is_no_state_is_asked_for_again() -> None:
    asked = []

    def read(prompt: str) -> str:
        asked.append(prompt)
        return ["ajar", "half open"][len(asked) - 1]

    assert Person(read).predicts("What?") == "half-open"
    assert asked[1] == "'ajar' is no state. One of closed, open, half-open (c, o, h will do): "


def test_half_open_can_be_predicted() -> None:
    score, told = taken([*[""] * 3, "open", "", "h", ""], RECOVERY)
    assert "Right: embedder.primary is half-open." in told
    assert (score.right, score.asked, score.whole) == (2, 2, True)


@pytest.mark.parametrize("leave", ["q", "Quit", "exit", EOFError, KeyboardInterrupt])
@pytest.mark.parametrize("prompts", range(3))
def test_a_reader_leaves_at_any_prompt(leave: str | type[BaseException], prompts: int) -> None:
    score, told = taken([*["c", "", ""][:prompts], leave], NORMAL * 2)
    ending = "1 of 1 predictions were right." if prompts else "nothing was predicted."
    assert told.endswith(f"Left before the end: {ending}\n")
    assert not score.whole


def test_chance_guesses_the_same_for_the_same_seed() -> None:
    def guesses(seed: int) -> list[str | None]:
        chance = Chance(seed, lambda text: None)
        return [chance.predicts("?") for _ in range(20)]

    assert guesses(1) == guesses(1)
    assert guesses(1) != guesses(2)


def test_it_shows_the_question_who_failed_who_stepped_in_and_the_health_of_all(capsys) -> None:
    learn.test_high_availability_rag(auto=True, seed=3)
    told = capsys.readouterr().out
    assert "embedder   primary (failed) -> secondary (failed) -> cached" in told
    assert "primary (not asked: its circuit is open) -> secondary" in told
    tables = re.findall(r"component +circuit +calls  failed  rate  refused", told)
    assert len(tables) == sum(len(scenario.steps) for scenario in SCENARIOS)
    assert f"10/10  {SCENARIOS[-1].title}" in told


def test_the_same_seed_takes_the_same_walk(capsys) -> None:
    scores = [walk(auto=True, seed=seed) for seed in (5, 5)]
    assert scores[0] == scores[1]
    assert scores[0].whole
    assert scores[0].asked == sum(bool(step.predict) for scenario in SCENARIOS for step in scenario.steps)


def test_leaving_is_told_to_whoever_reads() -> None:
    with pytest.raises(Leaving):
        Person(typing("q")).goes_on()
