"""Rows that nothing divides into tables, as in sheets and delimited values: headings, headers and several tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, groupby, islice

from ha_rag.index.reading.tables import Row, column, is_header, is_value, table_lines

ROWS_BEFORE_HEADER = 10
"""A header is looked for in so many first rows; above it there may be a heading and remarks."""
ROWS_JUDGED = 20
"""So many rows below a header are looked at."""


def lines_of_table(rows: Iterable[Row]) -> Iterator[str]:
    """The lines for rows of which nothing says which are headers.

    An empty row may part two tables. What follows it has the header above, unless its own first row is one.
    """
    header: Row | None = None
    waiting = False
    parts = groupby(rows, key=lambda row: any(cell.strip() for cell in row))
    for part in (part for has_text, part in parts if has_text):
        first = list(islice(part, ROWS_BEFORE_HEADER + ROWS_JUDGED))
        at = _header_at(first)
        if at is not None and header is not None and not (waiting or _differs(first[at], first[at + 1 :])):
            at = None
        if at is not None:
            if waiting and header is not None:
                yield from table_lines([header])
            yield from (" ".join(" ".join(row).split()) + "\n" for row in first[:at])
            header, first = first[at], first[at + 1 :]
            waiting = not first
        if first:
            yield from table_lines(chain(first, part), header)
            waiting = False
    if waiting and header is not None:
        yield from table_lines([header])


def _header_at(rows: list[Row]) -> int | None:
    """The first row that names columns, if it is wider than half of the widest; rows above it are a heading."""
    width = max(sum(1 for cell in row if cell.strip()) for row in rows)
    for at, row in enumerate(rows[:ROWS_BEFORE_HEADER]):
        if sum(1 for cell in row if cell.strip()) * 2 > width > 1:
            return at if is_header(row, rows[at + 1 :]) else None
    return None


def _differs(header: Row, below: list[Row]) -> bool:
    """Whether a row is a header rather than one more row of data: it has words above numbers or dates."""
    return any(
        cell.strip() and not is_value(cell) and (values := column(below, at)) and all(map(is_value, values))
        for at, cell in enumerate(header)
    )
