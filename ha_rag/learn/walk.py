"""The walk: one scenario after the other, one question at a time, and the score at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from ha_rag.learn.lab import Lab
from ha_rag.learn.lesson import Scenario, Step
from ha_rag.learn.picture import health, path, worded
from ha_rag.learn.reader import Chance, Leaving, Person, Reader
from ha_rag.learn.scenarios import SCENARIOS


@dataclass(slots=True)
class Score:
    """`right` of `asked` predictions; `whole`: whether the walk was taken to its end."""

    right: int = 0
    asked: int = 0
    whole: bool = False

    def __str__(self) -> str:
        share = "nothing was predicted" if not self.asked else f"{self.right} of {self.asked} predictions were right"
        return f"{'The end' if self.whole else 'Left before the end'}: {share}."


class Walk:
    """Leads `reader` through `scenarios`, and shows on `screen`."""

    def __init__(self, reader: Reader, screen: Console, scenarios: Sequence[Scenario] = SCENARIOS) -> None:
        self._reader = reader
        self._screen = screen
        self._scenarios = scenarios
        self.score = Score()

    def take(self) -> Score:
        """The whole of it, or until the reader leaves."""
        try:
            for number, scenario in enumerate(self._scenarios, 1):
                self._head(number, scenario)
                with Lab(scenario.replicas) as lab:
                    for step in scenario.steps:
                        self._take_step(lab, step, several=scenario.replicas > 1)
        except Leaving:
            self._screen.print()
        else:
            self.score.whole = True
        self._screen.print(Text(str(self.score), "bold"))
        return self.score

    def _head(self, number: int, scenario: Scenario) -> None:
        self._screen.print(Text(f"\n{number}/{len(self._scenarios)}  {scenario.title}", "bold cyan"))
        self._screen.print(Text(f"{scenario.about}\n"))

    def _take_step(self, lab: Lab, step: Step, *, several: bool) -> None:
        self._screen.print(Text(f"> {step.say}", "bold"))
        guess = self._reader.predicts(self._what_is_asked(step, several)) if step.predict else None
        answer = step.taken(lab)
        after = lab.health(step.looked_at)
        self._screen.print(path(answer, step.replica if several else 0))
        if several:
            self._screen.print(Text(f"  Replica {step.looked_at} afterwards:", "dim"))
        self._screen.print(health(after))
        if step.predict:
            self._judge(guess, worded(after[step.predict].state), step)
        self._screen.print()
        self._reader.goes_on()

    @staticmethod
    def _what_is_asked(step: Step, several: bool) -> str:
        where = f" at replica {step.looked_at}" if several else ""
        return f"  After this question, what will {step.predict} be{where}?"

    def _judge(self, guess: str | None, state: str, step: Step) -> None:
        if guess is None:
            verdict, style = f"It is {state}.", ""
        else:
            self.score.asked += 1
            self.score.right += guess == state
            verdict, style = ("Right", "green") if guess == state else ("Not so", "red")
            verdict = f"{verdict}: {step.predict} is {state}."
        self._screen.print(Text.assemble(("  " + verdict, style), f" {step.why}"))


def test_high_availability_rag(*, auto: bool = False, seed: int = 0) -> Score:  # noqa: PT028  # no test of pytest's
    """The guided walk, on standard input and output: the same as `ha-rag learn`, by its teaching name.

    `auto`: nobody is asked anything, and predictions are made by chance from `seed`. Leaves quietly at the end of the
    input, at Ctrl-C and at "q". Not to be called where an event loop runs. Returns the score.
    """
    return walk(auto=auto, seed=seed)


def walk(*, auto: bool = False, seed: int = 0, scenarios: Sequence[Scenario] = SCENARIOS) -> Score:
    """As above, through `scenarios` only."""
    screen = Console(highlight=False)
    reader: Reader = Chance(seed, lambda text: screen.print(Text(text))) if auto else Person()
    return Walk(reader, screen, scenarios).take()
