"""The walk: one scenario after the other, one question at a time, and the score at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from ha_rag.learn.display import health, path, worded
from ha_rag.learn.lab import Lab
from ha_rag.learn.lesson import Scenario, Step
from ha_rag.learn.reader import Quit, RandomReader, Reader, TerminalReader
from ha_rag.learn.scenarios import SCENARIOS


@dataclass(slots=True)
class Score:
    """`right` of `asked` predictions were right. `whole`: whether the walk was finished."""

    right: int = 0
    asked: int = 0
    whole: bool = False

    def __str__(self) -> str:
        share = "nothing was predicted" if not self.asked else f"{self.right} of {self.asked} predictions were right"
        return f"{'The end' if self.whole else 'Left before the end'}: {share}."


class Walk:
    """Takes `reader` through `scenarios`, with output on `screen`."""

    def __init__(self, reader: Reader, screen: Console, scenarios: Sequence[Scenario] = SCENARIOS) -> None:
        self._reader = reader
        self._screen = screen
        self._scenarios = scenarios
        self.score = Score()

    def run(self) -> Score:
        """Runs all scenarios, or until the reader quits."""
        try:
            for number, scenario in enumerate(self._scenarios, 1):
                self._head(number, scenario)
                with scenario.lab() as lab:
                    for step in scenario.steps:
                        self._run_step(lab, step, several=scenario.replicas > 1)
        except Quit:
            self._screen.print()
        else:
            self.score.whole = True
        self._screen.print(Text(str(self.score), "bold"))
        return self.score

    def _head(self, number: int, scenario: Scenario) -> None:
        self._screen.print(Text(f"\n{number}/{len(self._scenarios)}  {scenario.title}", "bold cyan"))
        self._screen.print(Text(f"{scenario.about}\n"))

    def _run_step(self, lab: Lab, step: Step, *, several: bool) -> None:
        self._screen.print(Text(f"> {step.say}", "bold"))
        guess = self._reader.predict(self._prediction_prompt(step, several)) if step.predict else None
        answer = step.run(lab)
        after = lab.health(step.shown_replica)
        self._screen.print(path(answer, step.replica if several else 0))
        if several:
            self._screen.print(Text(f"  Replica {step.shown_replica} afterwards:", "dim"))
        self._screen.print(health(after))
        if step.predict:
            self._judge(guess, worded(after[step.predict].state), step)
        self._screen.print()
        self._reader.wait_for_next()

    @staticmethod
    def _prediction_prompt(step: Step, several: bool) -> str:
        where = f" at replica {step.shown_replica}" if several else ""
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


def test_high_availability_rag(*, auto: bool = False, seed: int = 0) -> Score:  # noqa: PT028 - a public name, not a test
    """The guided walk, on standard input and output, like `ha-rag learn`. Returns the score.

    `auto`: never waits for input, and predicts at random from `seed`. The end of the input, Ctrl-C and "q" quit without
    an error. Not to be called while an event loop runs in this thread.
    """
    return walk(auto=auto, seed=seed)


def walk(*, auto: bool = False, seed: int = 0, scenarios: Sequence[Scenario] = SCENARIOS) -> Score:
    """The same, with these `scenarios`."""
    screen = Console(highlight=False)
    reader: Reader = RandomReader(seed, lambda text: screen.print(Text(text))) if auto else TerminalReader()
    return Walk(reader, screen, scenarios).run()
