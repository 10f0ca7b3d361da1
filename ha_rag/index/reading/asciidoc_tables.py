"""The tables of AsciiDoc: cells begin with a bar, on one line or on several, or are delimited values."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence

from ha_rag.index.reading.tables import Row

_CELL = re.compile(r"(?:(?<=\s)|^)(?:\d{0,3}(?:\.\d{1,3})?[+*])?[<^>.]{0,3}[adehlmsv]?(?<!\\)\|")
"""A bar with what may stand before it: how often the cell is repeated, how it is aligned, and its style."""
_COLUMNS = re.compile(r'cols="?([^"\]]{1,300})"?')
MOST_COLUMNS = 200


def asciidoc_rows(kind: str, lines: Sequence[str], attributes: str) -> list[Row]:
    """The rows of a table. `kind`: the sign before `===`. `attributes`: the line above it, which may name columns."""
    if kind in ",:":
        return [row for row in csv.reader(lines, delimiter=kind, skipinitialspace=True) if row]
    first = next((line for line in lines if line.strip()), "")
    width = _width(attributes) or max(1, len(_CELL.findall(first)))
    cells: list[str] = []
    for line in lines:
        before, *found = _CELL.split(line)
        if cells and before.strip():
            cells[-1] = f"{cells[-1]} {before.strip()}".strip()
        cells += [cell.strip() for cell in found]
    return [cells[at : at + width] for at in range(0, len(cells), width)]


def _width(attributes: str) -> int:
    """How many columns `cols` names: "1,2", "3*" or both."""
    found = _COLUMNS.search(attributes)
    if found is None:
        return 0
    parts = re.split("[,;]", found[1])
    counts = (re.match(r"\s*(\d{1,3})\*", part) for part in parts)
    return min(MOST_COLUMNS, sum(int(count[1]) if count else 1 for count in counts))
