"""A soak finds each kind of growth, and takes nothing for growth that comes and goes."""

from __future__ import annotations

import dataclasses
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from tests.fleet.soak_figures import Allowance, Figures, grown, rise

MIB = 2**20
ALLOWED = Allowance(memory=8 * MIB, descriptors=2, threads=2, tasks=2)
WELL = Figures(memory=100 * MIB, open=Counter({"socket to 6379": 5}), threads=9, tasks=20)
SECONDS = 300


def found(after: Figures, seen: Sequence[Figures] = (WELL,) * SECONDS) -> list[str]:
    return grown({"rag-1": WELL}, {"rag-1": seen}, {"rag-1": after}, ALLOWED)


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (dataclasses.replace(WELL, memory=109 * MIB), "rag-1: 100.0 MiB, then 109.0 MiB"),
        (
            dataclasses.replace(WELL, open=Counter({"socket to 6379": 8})),
            "rag-1: 5 descriptors, then 8: Counter({'socket to 6379': 3})",
        ),
        (dataclasses.replace(WELL, threads=12), "rag-1: 9 threads, then 12"),
        (dataclasses.replace(WELL, tasks=23), "rag-1: 20 tasks, then 23"),
    ],
)
def test_each_kind_of_growth_is_found_by_itself(after: Figures, told: str) -> None:
    assert found(after) == [told]


def test_as_much_more_as_is_allowed_is_no_growth() -> None:
    assert found(Figures(memory=108 * MIB, open=Counter({"socket to 6379": 7}), threads=11, tasks=22)) == []


def shaped(memory: Callable[[int], float]) -> list[Figures]:
    dice = random.Random(1)
    sizes = [round(memory(second) * MIB + dice.uniform(0, MIB)) for second in range(SECONDS)]
    return [dataclasses.replace(WELL, memory=size) for size in sizes]


def test_a_slow_leak_shows_in_the_last_third_even_if_its_end_looks_well() -> None:
    leak = shaped(lambda second: 100 + 0.05 * second)
    assert 8 * MIB < rise([one.memory for one in leak]) < 12 * MIB
    (told,) = found(WELL, leak)
    assert "more in the last third than in the first" in told


@pytest.mark.parametrize(
    "memory",
    [
        lambda second: 150 if second % 9 == 0 else 100,
        lambda second: 100 + 5 * math.sin(second / 7),
        lambda second: 160 if 250 < second < 290 else 100,
    ],
    ids=["bodies", "waves", "one long peak"],
)
def test_what_comes_and_goes_is_no_growth(memory: Callable[[int], float]) -> None:
    assert found(WELL, shaped(memory)) == []
