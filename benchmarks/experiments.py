"""How often an experiment's verdict is wrong, and how long it takes, by simulation: no Redis, no replicas.

    python -m benchmarks.experiments [--experiments 1000] [--seed 1] [--into docs/evaluating.md]

Each simulated experiment has `DAYS` days of `A_DAY` ratings, counted by the very rules of the fleet (`Tally`), and
somebody looks at the report every day and stops at the first verdict. *A/A*: both arms are the same, so each verdict is
a false one. Beside it, what a usual test says at the same looks: a difference of two proportions, called at |z| > 1.96.
*A/B*: the arms differ, and the figures are after how many ratings there was a verdict, and how often for the wrong arm.
What is assumed: how people rate, which `Crowd` says. Not assumed: that people are alike, or that days are.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.made_table import show
from ha_rag.ledger.store.experiment import Told
from ha_rag.ledger.store.experiment_counts import PLACES, Tally
from ha_rag.telemetry.experiment_report import Compared, ComparedArm, report

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


def experiment(crowd: Crowd, seed: str) -> Outcome:
    """One experiment."""
    draw = random.Random(seed)
    tally, compared = Tally(), Compared("simulated", [ComparedArm(name, 1) for name in ARMS], 5.0)
    naive = [[0, 0], [0, 0]]
    verdict, at, usual = "", DAYS * A_DAY, False
    for day in range(DAYS):
        split = ":".join(map(str, crowd.weights(day)))
        for n in range(A_DAY):
            arm, place, up = _rating(crowd, day, draw, seed, day * A_DAY + n)
            tally.rate(split, arm, place, up)
            naive[arm][0] += up
            naive[arm][1] += 1
        usual = usual or _usual(naive)
        if not verdict and (better := report(Told(tally.fields), compared, split).better):
            verdict, at = better, (day + 1) * A_DAY
        if verdict and usual:
            break
    return Outcome(verdict, at, usual)


def _rating(crowd: Crowd, day: int, draw: random.Random, seed: str, number: int) -> tuple[int, int, int]:
    """Arm, place of the person, and 1 if the answer is liked. A person's arm and taste depend on the person alone."""
    weights = crowd.weights(day)
    person = number if crowd.people is None else int(crowd.people * draw.random() ** 2)
    # Few people rate most: the square makes those with small numbers come often.
    own = random.Random(f"{seed} {person}") if crowd.people else draw
    arm = int(own.random() * sum(weights) >= weights[0])
    taste = (own.random() - 0.5) * 2 * crowd.spread
    chance = min(1.0, max(0.0, crowd.likes(day) + taste + arm * crowd.more))
    return arm, person % PLACES, int(draw.random() < chance)


def _usual(counted: list[list[int]]) -> bool:
    (up, n), (other_up, other_n) = counted
    if not n or not other_n:
        return False
    pooled = (up + other_up) / (n + other_n)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / other_n))
    return error > 0 and abs(other_up / other_n - up / n) / error > 1.96


def outcomes(crowd: Crowd, number: int, seed: int) -> list[Outcome]:
    """So many experiments with one crowd."""
    return [experiment(crowd, f"{seed} {one}") for one in range(number)]


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
