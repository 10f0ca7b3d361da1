"""Tables as text: each row is a list item that repeats the table's header, so that it can be found and quoted alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

LONGEST_HEADER_CELL = 300
LONGEST_NAME = 100
"""A column's longer name, such as a question of a survey, is cut in each row; the first line has all of it."""
_VALUE = re.compile(r"^[-+~<>≈$€£¥]*[\d.,:/\s%()-]*\d[\d.,:/\s%()-]*[$€£¥%]?$|@|://")
_YEAR = re.compile(r"(?:19|20)\d\d")
Row = Sequence[str]


def table_lines(rows: Iterable[Row], header: Row | None = None) -> Iterator[str]:
    """One list item for each row that has text: "- Name: Anna; City: Ulm". Without a header, "- Anna; Ulm".

    Names of columns that no row has a value for come last, since nothing in a file is lost.
    """
    full = [_cell(name).rstrip(": ") for name in header or ()]
    names = [_short(name) for name in full]
    if full != names:
        yield f"- {'; '.join(filter(None, full))}"
    unused = {at for at, name in enumerate(names) if name} if full == names else set()
    for row in rows:
        if line := row_line(row, names):
            yield line
        if unused:
            unused -= {at for at, cell in enumerate(row) if cell.strip()}
    if unused:
        yield f"- {'; '.join(names[at] for at in sorted(unused))}"


def row_line(row: Row, names: Sequence[str] = ()) -> str:
    """One row as a list item, each cell with the name of its column; "" if it has no text."""
    named = (_named(names, at, cell) for at, text in enumerate(row) if (cell := _cell(text)))
    line = "; ".join(dict.fromkeys(named))
    return f"- {line}" if line else ""


def _named(names: Sequence[str], at: int, cell: str) -> str:
    return f"{names[at]}: {cell}" if at < len(names) and names[at] else cell


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME].rpartition(' ')[0] or name[:LONGEST_NAME]}…"


def _cell(text: str) -> str:
    return " ".join(text.split()).rstrip(";")


def with_header(rows: Sequence[Row]) -> tuple[Row | None, Sequence[Row]]:
    """The header of a table that does not mark it, and the other rows; None if the first row looks like data."""
    if len(rows) > 1 and is_header(rows[0], rows[1:]):
        return rows[0], rows[1:]
    return None, rows


def is_header(row: Row, below: Sequence[Row] = ()) -> bool:
    """Whether a first row names columns: two or more different short texts, none of them a number, date or address.

    A year is a name if the column `below` has other values. So is one that occurs twice, if the columns `below` do not
    have it.
    """
    cells = [(at, cell) for at, text in enumerate(row) if (cell := _cell(text))]
    if len(cells) < 2 or len(cells) * 2 <= len(row):
        return False
    values = [(at, cell) for at, cell in cells if _VALUE.search(cell)]
    distinct = len({cell for _, cell in cells})
    return (
        all(len(cell) <= LONGEST_HEADER_CELL for _, cell in cells)
        and len(values) < len(cells)
        and all(_YEAR.fullmatch(cell) and _other_than_years(column(below, at)) for at, cell in values)
        and (distinct == len(cells) or (distinct * 2 > len(cells) and _only_above(cells, below)))
    )


def column(rows: Sequence[Row], at: int) -> list[str]:
    """The cells of a column that have text."""
    return [cell for row in rows if at < len(row) and (cell := _cell(row[at]))]


def is_value(cell: str) -> bool:
    """Whether a cell holds a number, a date or an address."""
    return bool(_VALUE.search(_cell(cell)))


def _other_than_years(cells: Sequence[str]) -> bool:
    return bool(cells) and not all(_YEAR.fullmatch(cell) for cell in cells)


def _only_above(cells: Sequence[tuple[int, str]], below: Sequence[Row]) -> bool:
    return bool(below) and not any(cell in column(below, at) for at, cell in cells)


def merged_header(rows: Sequence[Row]) -> Row:
    """One header of several header rows: "2025" above "Costs" becomes "2025 Costs"."""
    width = max((len(row) for row in rows), default=0)
    columns = ([_cell(row[at]) for row in rows if at < len(row)] for at in range(width))
    return [" ".join(dict.fromkeys(filter(None, column))) for column in columns]
