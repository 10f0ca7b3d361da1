"""The tables of reStructuredText: simple ones, grids, lists and delimited values."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence

from ha_rag.index.reading.tables import Row

_COLUMN = re.compile("=+")
_ITEM = re.compile(r"^(\*?)\s*-(?:\s+(.*))?$")


def simple_rows(lines: Sequence[str]) -> tuple[Row | None, list[Row]]:
    """Header and rows of a table whose columns are marked by `====  ====`. A row without a first cell continues one."""
    columns = [(found.start(), found.end()) for found in _COLUMN.finditer(lines[0])]
    columns[-1] = (columns[-1][0], max(map(len, lines)))
    parts: list[list[list[str]]] = [[]]
    for line in lines[1:]:
        if _COLUMN.match(line.strip()):
            parts.append([])
        elif line.strip() and set(line.strip()) != {"-", " "}:
            cells = [line[start:end].strip() for start, end in columns]
            if cells[0] or not parts[-1]:
                parts[-1].append(cells)
            else:
                parts[-1][-1] = [f"{above} {cell}".strip() for above, cell in zip(parts[-1][-1], cells, strict=True)]
    return _header_and_rows([part for part in parts if part])


def grid_rows(lines: Sequence[str]) -> tuple[Row | None, list[Row]]:
    """Header and rows of a table drawn with `+---+` and `|`."""
    parts: list[list[list[str]]] = [[]]
    row: list[str] | None = None
    for line in (line.strip() for line in lines):
        if line.startswith("+"):
            row = None
            if "=" in line:
                parts.append([])
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if row is None or len(cells) != len(row):
            row = cells
            parts[-1].append(row)
        else:
            row[:] = [f"{above} {cell}".strip() for above, cell in zip(row, cells, strict=True)]
    return _header_and_rows([part for part in parts if part])


def _header_and_rows(parts: Sequence[Sequence[Row]]) -> tuple[Row | None, list[Row]]:
    if len(parts) == 2 and len(parts[0]) == 1:
        return parts[0][0], list(parts[1])
    return None, [row for part in parts for row in part]


def listed_rows(lines: Sequence[str]) -> list[Row]:
    """The rows of a table written as a list of lists."""
    rows: list[list[str]] = []
    for line in (line.strip() for line in lines):
        item = _ITEM.match(line)
        if item and (item[1] or rows):
            if item[1]:
                rows.append([])
            rows[-1].append(item[2] or "")
        elif rows and rows[-1] and line:
            rows[-1][-1] = f"{rows[-1][-1]} {line}".strip()
    return [list(row) for row in rows]


def values_rows(lines: Sequence[str], options: Mapping[str, str]) -> list[Row]:
    """The rows of a table of delimited values, after the header that its options name."""
    rows = [row for row in csv.reader(lines, skipinitialspace=True) if row]
    return [*csv.reader([options["header"]], skipinitialspace=True), *rows] if options.get("header") else list(rows)
