"""Units: the parts of a passage that can be quoted by themselves, each with what stands above it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache


class UnitKind(Enum):
    """How a unit is quoted. STEPS and CODE keep their lines."""

    SENTENCE = auto()
    LINE = auto()
    """A definition, a setting or an item: complete as it is, whatever it ends with."""
    ROW = auto()
    """A row of a table, with its header."""
    ANSWER = auto()
    """What follows a question."""
    STEPS = auto()
    """A whole list whose order matters."""
    CODE = auto()


WHOLE = frozenset({UnitKind.STEPS, UnitKind.CODE, UnitKind.ANSWER})
"""Kinds that need no other unit beside them; the heading or sentence above says what they are about."""


@dataclass(frozen=True, slots=True)
class Unit:
    """Something that can be quoted.

    `start`, `end`: its positions in the passage's text. `text`: as a person reads it. `lead`: the sentence that
    introduces it, quoted with it. `context`: headings and questions above it, which say what it is about. `block`: the
    number of its block; neighbours in one block belong together. `is_caution`: whether it limits what stands beside it.
    `group`: the number of the list or table that it is part of, -1 if of none. `goes_on`: whether it continues
    the steps of another one.
    """

    kind: UnitKind
    start: int
    end: int
    text: str
    lead: str = ""
    context: str = ""
    block: int = 0
    is_caution: bool = False
    group: int = -1
    goes_on: bool = False


LONGEST_PASSAGE = 10_000
"""How many characters are read; indexed passages have a tenth of that. It limits the cost."""


@lru_cache(maxsize=4096)
def units_of(text: str, heading: str = "") -> tuple[Unit, ...]:
    """The units of a passage in order. `heading`: the heading that its beginning stands under, or "".

    Cached, because passages are retrieved again and again.
    """
    from ha_rag.components.extraction.unit_reader import read_units  # it needs the classes above

    return tuple(read_units(text[:LONGEST_PASSAGE], heading))
