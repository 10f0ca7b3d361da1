"""A procedure that runs over several passages: its parts are quoted together, in the order of their numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ha_rag.components.extraction.candidates import Candidate
from ha_rag.components.extraction.units import UnitKind

_NUMBER = re.compile(r"[^\W\d_]{0,14}\s*(\d{1,3})\b")


def whole_procedure(best: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    """`best` and the lists of the same document that go before it and on after it, in order.

    Steps that two passages have are quoted once. Lists without numbers are left alone.
    """
    others = [each for each in candidates if each.document == best.document and each.n != best.n and _range(each)]
    found = [best]
    if _range(best) is None:
        return found
    while (first := _range(found[0])) and first[0] > 1:
        before = [each for each in others if _goes_on(each, found[0])]
        if not before:
            break
        found.insert(0, before[0])
    while following := [each for each in others if each not in found and _goes_on(found[-1], each)]:
        found.append(following[0])
    return [found[0], *(_without_repeated(one, other) for one, other in pairwise(found))]


def first_step(each: Candidate) -> int:
    """The number of the first step of a list; 1 if it has none."""
    numbers = _range(each)
    return numbers[0] if numbers else 1


def _goes_on(one: Candidate, other: Candidate) -> bool:
    """Whether `other` goes on where `one` ends, or overlaps with it."""
    before, after = _range(one), _range(other)
    return bool(before and after and before[0] < after[0] <= before[1] + 1 and after[1] > before[1])


def _range(each: Candidate) -> tuple[int, int] | None:
    """The numbers of the first and the last step."""
    if each.unit.kind is not UnitKind.STEPS:
        return None
    numbers = [int(found[1]) for line in each.unit.text.split("\n") if (found := _NUMBER.match(line))]
    return (numbers[0], max(numbers)) if numbers else None


def _without_repeated(one: Candidate, other: Candidate) -> Candidate:
    """`other` without the steps that `one` has, and without what introduces it."""
    numbers = _range(one)
    last = numbers[1] if numbers else 0
    kept: list[str] = []
    is_new = False
    for line in other.unit.text.split("\n"):
        found = _NUMBER.match(line)
        is_new = int(found[1]) > last if found else is_new
        kept += [line] if is_new else []
    return replace(other, unit=replace(other.unit, text="\n".join(kept), lead="", goes_on=True))
