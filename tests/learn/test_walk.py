"""The walk: it asks, says whether a prediction was right and why, keeps the score, and can be quit at any prompt."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator

import pytest
from rich.console import Console

from ha_rag import learn
from ha_rag.learn.display import health, path
from ha_rag.learn.reader import Quit, RandomReader, TerminalReader
from ha_rag.learn.scenarios import SCENARIOS
from ha_rag.learn.walk import Score, Walk, walk
from ha_rag.messages import Answer, Attempt, ComponentType
from ha_rag.outcomes import Outcome
from ha_rag.strategy.status import ComponentStatus
from tests.hostile_text import FORGED, HOSTILE, SHOWN, assert_harmless

NORMAL = [each for each in SCENARIOS if each.name == "normal"]
RECOVERY = [each for each in SCENARIOS if each.name == "recovery-timeout"]


def typing(*lines: str | type[BaseException]) -> Callable[[str], str]:
    """Types these lines and then ends the input."""
    left = iter(lines)

    def read(prompt: str) -> str:
        said = next(left, EOFError)
        if isinstance(said, str):
            return said
        raise said

    return read


def walked(lines: Iterable[str | type[BaseException]], scenarios=NORMAL) -> tuple[Score, str]:
    drawn = io.StringIO()
    screen = Console(file=drawn, width=100, color_system=None)
    return Walk(TerminalReader(typing(*lines)), screen, scenarios).run(), drawn.getvalue()


@pytest.mark.parametrize("word", ["closed", "c", " Closed "])
def test_a_right_prediction_is_confirmed_and_counted(word: str) -> None:
    score, told = walked([word, ""])
    assert "Right: embedder.primary is closed. A closed circuit lets every call through," in told
    assert (score.right, score.asked, score.whole) == (1, 1, True)
    assert told.endswith("The end: 1 of 1 predictions were right.\n")


@pytest.mark.parametrize("word", ["open", "o", "half-open", "half_open", "h"])
def test_a_wrong_prediction_is_explained(word: str) -> None:
    score, told = walked([word, ""])
    assert "Not so: embedder.primary is closed. A closed circuit lets" in told
    assert (score.right, score.asked) == (0, 1)


def test_no_guess_is_not_counted() -> None:
    score, told = walked(["", ""])
    assert "It is closed. A closed circuit lets" in told
    assert told.endswith("The end: nothing was predicted.\n")
    assert score.asked == 0


def test_a_word_that_is_no_state_is_asked_again() -> None:
    asked = []

    def read(prompt: str) -> str:
        asked.append(prompt)
        return ["ajar", "half open"][len(asked) - 1]

    assert TerminalReader(read).predict("What?") == "half-open"
    assert asked[1] == "'ajar' is no state. One of closed, open, half-open (c, o, h will do): "


def test_half_open_can_be_predicted() -> None:
    score, told = walked([*[""] * 3, "open", "", "h", ""], RECOVERY)
    assert "Right: embedder.primary is half-open." in told
    assert (score.right, score.asked, score.whole) == (2, 2, True)


@pytest.mark.parametrize("leave", ["q", "Quit", "exit", EOFError, KeyboardInterrupt])
@pytest.mark.parametrize("prompts", range(3))
def test_a_reader_can_quit_at_any_prompt(leave: str | type[BaseException], prompts: int) -> None:
    score, told = walked([*["c", "", ""][:prompts], leave], NORMAL * 2)
    ending = "1 of 1 predictions were right." if prompts else "nothing was predicted."
    assert told.endswith(f"Left before the end: {ending}\n")
    assert not score.whole


def test_random_guesses_are_the_same_for_the_same_seed() -> None:
    def guesses(seed: int) -> list[str | None]:
        chance = RandomReader(seed, lambda text: None)
        return [chance.predict("?") for _ in range(20)]

    assert guesses(1) == guesses(1)
    assert guesses(1) != guesses(2)


def test_it_shows_the_question_the_tiers_tried_and_the_health_of_all(capsys) -> None:
    learn.test_high_availability_rag(auto=True, seed=3)
    told = capsys.readouterr().out
    assert "embedder   primary (failed) -> secondary (failed) -> cached" in told
    assert "primary (skipped: circuit open) -> secondary" in told
    tables = re.findall(r"component +circuit +calls  failed  rate  refused", told)
    assert len(tables) == sum(len(scenario.steps) for scenario in SCENARIOS)
    assert f"12/12  {SCENARIOS[-1].title}" in told


def test_the_same_seed_gives_the_same_walk(capsys) -> None:
    scores = [walk(auto=True, seed=seed) for seed in (5, 5)]
    assert scores[0] == scores[1]
    assert scores[0].whole
    assert scores[0].asked == sum(bool(step.predict) for scenario in SCENARIOS for step in scenario.steps)


def test_quitting_raises() -> None:
    with pytest.raises(Quit):
        TerminalReader(typing("q")).wait_for_next()


def test_hostile_predictions_are_quoted_harmlessly():
    asked: list[str] = []
    said: Iterator[str | Exception] = iter(
        [HOSTILE, "\u202e" * 99, UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text"), "closed"]
    )

    def read(prompt: str) -> str:
        asked.append(prompt)
        line = next(said)
        if isinstance(line, Exception):
            raise line
        return line

    assert TerminalReader(read).predict("What will it be?") == "closed"
    assert_harmless("\n".join(asked))
    assert "'\\u202e\\u202e" in asked[2]
    assert "'?' is no state." in asked[3]


def test_hostile_text_in_an_answer_or_a_name_changes_no_line_of_the_walk():
    attempt = Attempt(f"embedder.{HOSTILE}", Outcome.FAILED, 1.0)
    answer = Answer(
        id="a", question=HOSTILE, text=HOSTILE, served_by={"embedder": HOSTILE}, degraded_stages=("embedder",),
        attempts=(attempt,),
    )  # fmt: skip
    status = ComponentStatus(circuit=HOSTILE, component_type=ComponentType.EMBEDDER, name=HOSTILE, state="open",
                             shared_state="local")  # fmt: skip
    drawn = io.StringIO()
    screen = Console(file=drawn, width=1000, color_system=None)
    screen.print(path(answer, 1))
    screen.print(health({HOSTILE: status}))
    lines = drawn.getvalue().replace(f"\n{FORGED}", "\nthe answer's own line")
    assert_harmless(lines)
    assert SHOWN in lines
