"""What is counted of an experiment, and how it is told: the fields of one hash in Redis, as text -> number.

Only the first question, and the first rating, of each *unit* (a user or a session) is an observation: the arms are
drawn for units, so many questions of one unit are no independent observations. Which units were seen is remembered in a
fixed number of places. Two units in one place count as one; this befalls both arms alike.

Observations are compared in *blocks*: as soon as each arm has `BLOCK` of them, the difference of the two shares in the
block is added up, weighted by its information (a*b / (a+b) / 0.25 for `a` and `b` observations). So what is compared
was observed at the same time, under the same weights: neither a good day nor a change of weights makes a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

BLOCK = 10
"""Observations that each arm needs before they are compared."""

PLACES = 2**20
LIKED, ANSWERED, UNDEGRADED, IN_TIME = METRICS = ("liked", "answered", "undegraded", "in_time")
"""Shares that are compared; of the first only units that rated are observations, of the others all."""

TOTALS = ("questions", "answered", "degraded", "otherwise", "broken", "loose")
"""Of all questions: `otherwise` those served by other tiers than assigned; `loose` those that named nobody."""

Counts = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ExperimentKey:
    """Which counts. `digest`: of what is compared. `weights`: of the two arms, without common divisors."""

    name: str
    digest: str
    weights: tuple[int, ...]

    @property
    def split(self) -> str:
        """The weights as they stand in fields, such as "1:9"."""
        return ":".join(map(str, self.weights))


@dataclass(frozen=True, slots=True)
class Seen:
    """The first question of a unit. `place`: of the unit; None if it asks only once. `shares`: metric -> 0 or 1."""

    arm: int
    place: int | None
    shares: Mapping[str, int]


def place_of_unit(unit: int) -> int:
    """Where it is remembered that a unit was seen."""
    return unit % PLACES


def total(arm: int, what: str) -> str:
    """The field that counts questions of an arm."""
    return f"total {arm} {what}"


def latency(arm: int, bucket: int) -> str:
    """The field that counts answers of an arm by how long they took (`telemetry/sketch.py`)."""
    return f"ms {arm} {bucket}"


def share(metric: str, arm: int, what: str) -> str:
    """The field of an arm's observations: "n", and how many of them are "up"."""
    return f"share {metric} {arm} {what}"


def block(split: str, metric: str, arm: int, what: str) -> str:
    """The same of the block that is being filled under these weights."""
    return f"block {split} {metric} {arm} {what}"


@lru_cache(maxsize=256)
def _block_fields(split: str, metric: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """The fields of a block: the numbers of both arms, and how many are up."""
    number, ups = ((block(split, metric, 0, what), block(split, metric, 1, what)) for what in ("n", "up"))
    return number, ups


def difference(metric: str, what: str) -> str:
    """The field of the blocks that were compared: "blocks", their "information", and the weighted "sum"."""
    return f"difference {metric} {what}"


def units(split: str, arm: int) -> str:
    """The field that counts the units of an arm under these weights."""
    return f"units {split} {arm}"


@dataclass(slots=True)
class Tally:
    """The counts in memory, by the same rules as the script in Redis (`experiment.py`)."""

    fields: dict[str, float] = field(default_factory=dict)
    asked: set[int] = field(default_factory=set)
    rated: set[int] = field(default_factory=set)

    def add(self, name: str, number: float) -> float:
        """Adds to a field, and returns its value."""
        self.fields[name] = self.fields.get(name, 0) + number
        return self.fields[name]

    def count(self, split: str, totals: Mapping[str, int], seen: Iterable[Seen]) -> None:
        """Counts a replica's questions: `totals` of all, and the first ones of units."""
        for name, number in totals.items():
            self.add(name, number)
        for one in seen:
            if one.place in self.asked:
                continue
            if one.place is not None:
                self.asked.add(one.place)
            self.add(units(split, one.arm), 1)
            for metric, up in one.shares.items():
                self.observe(split, metric, one.arm, up)

    def rate(self, split: str, arm: int, place: int, up: int) -> bool:
        """Counts the first rating of a unit. False if it was not the first."""
        if place in self.rated:
            return False
        self.rated.add(place)
        self.observe(split, LIKED, arm, up)
        return True

    def observe(self, split: str, metric: str, arm: int, up: int) -> None:
        """Counts an observation, and compares the block if it is full."""
        number, ups = _block_fields(split, metric)
        for name, more in (
            (number[arm], 1),
            (ups[arm], up),
            (share(metric, arm, "n"), 1),
            (share(metric, arm, "up"), up),
        ):
            self.add(name, more)
        a, b = (self.fields.get(name, 0) for name in number)
        if a < BLOCK or b < BLOCK:
            return
        less = self.fields[ups[1]] / b - self.fields[ups[0]] / a
        information = 4 * a * b / (a + b)
        self.add(difference(metric, "blocks"), 1)
        self.add(difference(metric, "information"), information)
        self.add(difference(metric, "sum"), information * less)
        self.fields.update(dict.fromkeys((*number, *ups), 0))


def observed(counts: Counts, metric: str) -> Sequence[tuple[float, float]]:
    """(up, number) of each arm."""
    return [(counts.get(share(metric, k, "up"), 0), counts.get(share(metric, k, "n"), 0)) for k in (0, 1)]
