"""Tables in Markdown as units: each row with the names of its columns. Readers have made most tables so before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from ha_rag.components.extraction.lines import Block
from ha_rag.components.extraction.units import Unit, UnitKind
from ha_rag.components.extraction.wording import readable
from ha_rag.index.reading.tables import is_header, row_line

_BETWEEN = re.compile(r"(?<!\\)\|")
_QUESTION_AND_ANSWER = re.compile(r"(?:question|frage|q): (.+?); (?:answer|antwort|a): (.+)", re.IGNORECASE | re.DOTALL)
_DIVIDER = re.compile(r"^[\s|:-]*-[\s|:-]*$")


def table_units(block: Block, lead: str, context: str, number: int) -> Iterator[Unit]:
    """The rows of a table with bars. The first one is the header if a line of dashes or its cells say so."""
    rows = [(line, _cells(line.text)) for line in block.lines if not _DIVIDER.match(line.text)]
    is_divided = len(block.lines) > 1 and bool(_DIVIDER.match(block.lines[1].text))
    header = rows[0][1] if rows and len(rows) > 1 and (is_divided or is_header(rows[0][1])) else None
    about = "\n".join(filter(None, (context, lead)))
    for line, cells in rows[1:] if header is not None else rows:
        if text := row_line(cells, header or ()):
            told = readable(text.removeprefix("- "))
            yield row_unit(Unit(UnitKind.ROW, line.start, line.end, told, "", about, number, group=number))


def row_unit(row: Unit) -> Unit:
    """The row itself, or, of a table of questions and answers, the answer."""
    asked = _QUESTION_AND_ANSWER.match(row.text)
    if asked is None:
        return row
    return replace(row, kind=UnitKind.ANSWER, text=asked[2], context=f"{row.context}\n{asked[1]}".strip())


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _BETWEEN.split(line.strip().strip("|"))]
