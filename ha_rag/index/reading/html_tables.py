"""The tables of a page: those that hold data become rows with their header, those that lay out the page do not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ha_rag.index.reading.tables import Row, is_header, merged_header, table_lines
from ha_rag.index.reading.tree import descendants

_STRUCTURE = frozenset({"h1", "h2", "h3", "h4", "h5", "h6", "pre", "form", "blockquote", "article", "section", "main"})
MOST_SPANNED = 100
MOST_CELLS = 200_000


def layout_tables(page: LexborHTMLParser) -> frozenset[int]:
    """The ids of the tables that hold other tables, headings or code: they place things on a page."""
    layout: set[int] = set()
    open_tables: list[LexborNode] = []
    for node, entered in descendants(page.root):
        if node.tag == "table" and not entered:
            open_tables.pop()
        elif entered and node.tag in _STRUCTURE and open_tables:
            layout.add(open_tables[-1].mem_id)
        elif entered and node.tag == "table":
            if open_tables:
                layout.add(open_tables[-1].mem_id)
            if node.attributes.get("role") in ("presentation", "none"):
                layout.add(node.mem_id)
            open_tables.append(node)
    return frozenset(layout)


@dataclass(slots=True)
class _Line:
    """A row of a table as it is in the page."""

    cells: list[str] = field(default_factory=list)
    headings: int = 0
    in_head: bool = False


def data_lines(table: LexborNode, *, first_row_is_header: bool) -> Iterator[str]:
    """The rows of a data table, each with the header.

    `first_row_is_header`: even if nothing marks it. Otherwise only a table of three or more columns has such a header,
    since tables of two often list names and values.
    """
    lines = _spread(list(_lines(table)))
    leading = next((at for at, line in enumerate(lines) if not _is_header_row(line)), len(lines))
    header: Row | None = merged_header([line.cells for line in lines[:leading]]) if leading else None
    rows: Sequence[Row] = [line.cells for line in lines[leading:]]
    if header is not None and not rows:
        return table_lines([header])
    fewest = 2 if first_row_is_header else 3
    if header is None and len(rows) > 1 and len(rows[0]) >= fewest and is_header(rows[0]):
        header, rows = rows[0], rows[1:]
    return table_lines(rows, header)


def _is_header_row(line: _Line) -> bool:
    return line.in_head or (line.headings > 0 and line.headings == sum(1 for cell in line.cells if cell.strip()))


@dataclass(slots=True)
class _Cell:
    text: list[str]
    columns: int
    rows: int
    is_heading: bool


def _lines(table: LexborNode) -> Iterator[tuple[list[_Cell], bool]]:
    """The cells of each row, and whether it is in the table's head."""
    row: list[_Cell] | None = None
    in_head = False
    for node, entered in descendants(table):
        tag = node.tag
        if tag in ("thead", "tbody", "tfoot"):
            in_head = tag == "thead" and entered
        elif tag == "tr":
            if row:
                yield row, in_head
            row = [] if entered else None
        elif not entered or row is None:
            continue
        elif tag in ("td", "th"):
            row.append(_Cell([], _span(node, "colspan"), _span(node, "rowspan"), tag == "th"))
        elif row and (text := _text(node)):
            row[-1].text.append(text)


def _text(node: LexborNode) -> str:
    if node.tag == "-text":
        return node.text_content or ""
    if node.tag == "img":
        return f" {node.attributes.get('alt') or ''} "
    return " " if node.tag in ("br", "p", "div", "li", "dt", "dd", "tr") else ""


def _span(node: LexborNode, name: str) -> int:
    value = node.attributes.get(name) or "1"
    return max(1, min(MOST_SPANNED, int(value))) if re.fullmatch("[0-9]{1,4}", value) else 1


def _spread(rows: Sequence[tuple[list[_Cell], bool]]) -> list[_Line]:
    """Rows in which a cell that spans several rows or columns stands in each of them."""
    lines: list[_Line] = []
    below: dict[int, tuple[int, _Cell]] = {}
    cells = 0
    for row, in_head in rows:
        line = _Line(in_head=in_head)
        waiting = list(reversed(row))
        while waiting or any(column >= len(line.cells) for column in below):
            column = len(line.cells)
            left, cell = below.pop(column, (0, None))
            if cell is None:
                if not waiting:
                    line.cells.append("")
                    continue
                cell = waiting.pop()
                left = cell.rows
            text = "".join(cell.text)
            for at in range(column, column + cell.columns):
                line.cells.append(text if at == column or cell.is_heading else "")
                line.headings += cell.is_heading and bool(line.cells[-1].strip())
                cells += 1
            if left > 1 and cells < MOST_CELLS:
                below[column] = (left - 1, cell)
        lines.append(line)
    return lines
