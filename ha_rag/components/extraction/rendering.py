"""The text of an answer made of units, each with the number of its passage."""

from __future__ import annotations

from collections.abc import Sequence

from ha_rag.components.extraction.asked import terms_in
from ha_rag.components.extraction.candidates import Candidate
from ha_rag.components.extraction.steps import first_step
from ha_rag.components.extraction.units import Unit, UnitKind

LONGEST_ROW = 400
"""Characters. Of a longer row, what was not asked for is left out."""


def rendered(units: Sequence[Candidate], asked: frozenset[str]) -> str:
    """Sentences on one line; lists, code and what they begin with on lines of their own."""
    text = ""
    for each in units:
        part = _cited(each, asked)
        apart = "\n" if text and ("\n" in part or "\n" in text.rsplit("\n\n", 1)[-1]) else " "
        text = f"{text}{apart}{part}" if text else part
    return text


def cited(text: str, n: int) -> str:
    """`text` with its citation before the full stop, as in "A probe closes it [2]."."""
    if text.endswith(("!", "?", '"', "”", ")", "」", "』", "\uff01", "\uff1f")):
        return f"{text} [{n}]"
    if text.endswith(("。", "｡", "।", "\u06d4")):
        return f"{text[:-1]} [{n}]{text[-1]}"
    return f"{text.rstrip(' .')} [{n}]."


def _cited(each: Candidate, asked: frozenset[str]) -> str:
    unit = each.unit
    if unit.kind is UnitKind.STEPS:
        return unit.text if unit.goes_on else f"{_beginning(unit, each.n, first_step(each))}\n{unit.text}"
    if unit.kind is UnitKind.CODE:
        if "\n" in unit.text or "`" in unit.text:
            return f"{_beginning(unit, each.n)}\n```\n{unit.text}\n```"
        lead = f"{unit.lead} " if unit.lead else ""
        return f"{lead}`{unit.text.strip()}` [{each.n}]."
    text = unit.text if len(unit.text) <= LONGEST_ROW or unit.kind is not UnitKind.ROW else _shortened(each, asked)
    return cited(text, each.n)


def _beginning(unit: Unit, n: int, first: int = 1) -> str:
    """What stands above steps or code. Steps whose beginning was not found say so: they are not all."""
    title = unit.lead or unit.context.split("\n")[-1]
    colons = " :\uff1a"
    cut = f" (from step {first} on; the steps before it were not found)" if first > 1 else ""
    return f"{title.rstrip(colons)} [{n}]{cut}:" if title else f"[{n}]{cut}:"


def _shortened(each: Candidate, asked: frozenset[str]) -> str:
    """The first cell of a long row and those with words of the question."""
    first, *others = each.unit.text.split("; ")
    kept = [first[:LONGEST_ROW]]
    left = LONGEST_ROW - len(kept[0])
    for cell in others:
        if left >= len(cell) and asked & terms_in(cell, each.language):
            kept.append(cell)
            left -= len(cell)
    return "; ".join(kept) + " ..."
