"""How often an experiment's verdict is wrong, and how long it takes, by simulation: no Redis, no replicas.

    python -m benchmarks.experiments [--experiments 1000] [--seed 1] [--into docs/evaluating.md]

Each simulated experiment has `DAYS` days of `A_DAY` ratings, counted by the rules of the fleet, and somebody
looks at the verdict every day and stops at the first one. *A/A*: both arms are the same, so each verdict is
a false one. Beside it, what a usual test says at the same looks: a difference of two proportions, called at |z| > 1.96.
*A/B*: the arms differ, and the figures are after how many ratings there was a verdict, and how often for the wrong arm.
What is assumed: how people rate, which `Crowd` says. Not assumed: that people are alike, or that days are.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.made_table import show
from ha_rag.ledger.store.experiment_counts import BLOCK
from ha_rag.telemetry.sequences import radius

Ints = NDArray[np.int_]
Bools = NDArray[np.bool_]

DAYS, A_DAY = 60, 50
ARMS = ("first", "second")


@dataclass(frozen=True)
class Crowd:
    """How people rate.

    `likes`: day -> the mean probability that somebody likes an answer of the first arm; `more`: what the second adds.
    `weights`: day -> of both arms. `spread`: by how much people differ, the same for all their ratings. `people`: how
    many there are; None: everybody rates once.
    """

    likes: Callable[[int], float]
    more: float = 0.0
    weights: Callable[[int], tuple[int, int]] = lambda day: (1, 1)
    spread: float = 0.0
    people: int | None = None


@dataclass(frozen=True)
class Outcome:
    """An experiment that was looked at every day. `verdict`: the arm, "" for none, after so many `ratings`; `usual`:
    whether the usual test ever called a difference.
    """

    verdict: str
    ratings: int
    usual: bool


class Tallies:
    """The counts of many experiments at once, by the rules of `Tally`; a test compares the two."""

    def __init__(self, number: int) -> None:
        self.all = np.arange(number)
        self.n, self.up = np.zeros((2, number), int), np.zeros((2, number), int)
        self.information, self.sum = np.zeros(number), np.zeros(number)

    def rate(self, arm: Ints, up: Ints, first: Bools) -> None:
        """A rating in each experiment, which counts if it is the first of its person."""
        self.n[arm, self.all] += first
        self.up[arm, self.all] += up * first
        full = np.flatnonzero(self.n.min(axis=0) >= BLOCK)
        if full.size:
            (a, b), (up_a, up_b) = self.n[:, full], self.up[:, full]
            information = 4 * a * b / (a + b)
            self.information[full] += information
            self.sum[full] += information * (up_b / b - up_a / a)
            self.clear(full)

    def clear(self, which: Ints | slice) -> None:
        """Begins these blocks anew."""
        self.n[:, which] = self.up[:, which] = 0


def ratings(crowd: Crowd, number: int, seed: int) -> Iterator[tuple[int, Ints, Ints, Ints]]:
    """Day, and in each experiment: arm, person, and 1 if the answer is liked. A person keeps arm and taste."""
    draw = np.random.default_rng(seed)
    people = crowd.people or DAYS * A_DAY
    own, taste = draw.random((number, people)), crowd.spread * (2 * draw.random((number, people)) - 1)
    everyone = np.arange(number)
    for count in range(DAYS * A_DAY):
        day = count // A_DAY
        # Few people rate most: the square makes those with small numbers come often.
        who = np.full(number, count) if crowd.people is None else (people * draw.random(number) ** 2).astype(int)
        one, other = crowd.weights(day)
        arm = (own[everyone, who] >= one / (one + other)).astype(int)
        chance = crowd.likes(day) + taste[everyone, who] + arm * crowd.more
        yield day, arm, who, (draw.random(number) < chance).astype(int)


def outcomes(crowd: Crowd, number: int, seed: int) -> list[Outcome]:
    """So many experiments with one crowd."""
    tallies, naive = Tallies(number), np.zeros((2, 2, number), int)
    seen = np.zeros((number, crowd.people or DAYS * A_DAY), bool)
    verdicts, took, usual = [""] * number, [DAYS * A_DAY] * number, np.zeros(number, bool)
    weights = crowd.weights(0)
    for count, (day, arm, who, up) in enumerate(ratings(crowd, number, seed), 1):
        if crowd.weights(day) != weights:  # blocks of other weights are filled apart
            weights = crowd.weights(day)
            tallies.clear(slice(None))
        tallies.rate(arm, up, ~seen[tallies.all, who])
        seen[tallies.all, who] = True
        naive[0, arm, tallies.all] += up
        naive[1, arm, tallies.all] += 1
        if count % A_DAY == 0:
            usual |= _usual(*naive)
            for one in tallies.all:
                if not verdicts[one] and (verdict := _verdict(tallies.information[one], tallies.sum[one])):
                    verdicts[one], took[one] = verdict, count
    return [Outcome(*one) for one in zip(verdicts, took, map(bool, usual), strict=True)]


def _verdict(information: float, total: float) -> str:
    if not information or abs(total / information) <= radius(information):
        return ""
    return ARMS[int(total > 0)]


def _usual(up: Ints, number: Ints) -> Bools:
    some = np.maximum(number, 1)
    pooled = up.sum(axis=0) / some.sum(axis=0)
    error = np.sqrt(pooled * (1 - pooled) * (1 / some[0] + 1 / some[1]))
    off = np.abs(up[1] / some[1] - up[0] / some[0])
    called: Bools = (number.min(axis=0) > 0) & (off > 1.96 * error) & (error > 0)
    return called


def ramp(day: int) -> tuple[int, int]:
    """One in twenty for ten days, then one in ten, then half."""
    return (19, 1) if day < 10 else (9, 1) if day < 20 else (1, 1)


def better_days(day: int) -> float:
    """Satisfaction that grows from 55 to 90 % over the experiment."""
    return 0.55 + 0.35 * day / DAYS


def weekends(day: int) -> float:
    """85 %, and 60 % at weekends."""
    return 0.6 if day % 7 > 4 else 0.85


SAME = {
    "half like it": Crowd(lambda day: 0.5),
    "75 % like it": Crowd(lambda day: 0.75),
    "95 % like it": Crowd(lambda day: 0.95),
    "fewer at weekends": Crowd(weekends),
    "one in ten is in the second arm": Crowd(lambda day: 0.75, weights=lambda day: (9, 1)),
    "more like it each day, while the second arm grows from 5 % to half": Crowd(better_days, weights=ramp),
    "400 people who differ, some rate often": Crowd(lambda day: 0.6, spread=0.4, people=400),
}
DIFFERENT = (0.05, 0.1, 0.15, 0.2)


def rows(number: int, seed: int) -> Iterator[str]:
    """The tables, line by line."""
    yield "| A/A: both arms the same | verdicts, all false | a usual test, at the same looks |"
    yield "|---|---|---|"
    for name, crowd in SAME.items():
        made = outcomes(crowd, number, seed)
        false, usual = sum(bool(one.verdict) for one in made) / number, sum(one.usual for one in made) / number
        yield f"| {name} | {false:.1%} | {usual:.1%} |"
    yield ""
    yield "| A/B: 70 % like one arm, the other | verdict | wrong arm | mean ratings until then | half need at most |"
    yield "|---|---|---|---|---|"
    for more in DIFFERENT:
        made = outcomes(Crowd(lambda day: 0.7, more), number, seed)
        found = [one for one in made if one.verdict]
        wrong = sum(one.verdict == ARMS[0] for one in found) / number
        took = [one.ratings for one in found]
        half = sorted(one.ratings if one.verdict else math.inf for one in made)[number // 2]
        mean = f"{statistics.mean(took):,.0f}" if len(took) == number else f"(of these) {statistics.mean(took):,.0f}"
        median = f"{half:,.0f}" if half < math.inf else f"more than {DAYS * A_DAY:,}"
        yield f"| {more:.0%} more | {len(found) / number:.1%} | {wrong:.1%} | {mean} | {median} |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--into", type=Path)
    given = parser.parse_args()
    show("experiments", "\n".join(rows(given.experiments, given.seed)), given.into)


if __name__ == "__main__":
    main()
