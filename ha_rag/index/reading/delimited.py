"""Reads tables of text (.csv, .tsv): each row with the names of its columns."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.tables import table_lines
from ha_rag.index.reading.tabulated import lines_of_table

DELIMITERS = (",", ";", "\t", "|")
SAMPLED_LINES = 50


def read_delimited(file: RawFile) -> Extract:
    """The rows of a table. Raises UnreadableDocumentError."""
    found = decoded(file)
    text, left_out = without_blobs(found.text)
    csv.field_size_limit(sys.maxsize)
    try:
        lines = list(_lines(text))
    except csv.Error as error:
        raise UnreadableDocumentError(file.name, f"not a table of delimited values: {error}") from error
    return Extract(text="\n".join(lines), notices=(*found.notices, *left_out), guessed=found.guessed)


def _lines(text: str) -> Iterator[str]:
    start = text[:200_000].splitlines()[:SAMPLED_LINES]
    if any(_agreement(start, delimiter)[0] for delimiter in DELIMITERS):
        return lines_of_table(_rows(text))
    # A single column: its first line is its name.
    rows = (row for row in _rows(text) if any(cell.strip() for cell in row))
    return table_lines(rows, next(rows, None))


def _rows(text: str) -> Iterator[list[str]]:
    first, _, rest = text.partition("\n")
    if first.lower().startswith("sep=") and len(first) == 5:  # as Excel writes it
        delimiter, text = first[4], rest
    else:
        delimiter = _delimiter(text)
    lines = text.splitlines(keepends=True)
    if _quotes_are_closed(lines, delimiter):
        return csv.reader(lines, delimiter=delimiter)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE)


def _quotes_are_closed(lines: list[str], delimiter: str) -> bool:
    """Whether no cell begins with a quote that nothing closes: it would swallow all lines after it."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return "unexpected end" not in str(error)
    return bool(rows)


def _delimiter(text: str) -> str:
    """The delimiter that divides most lines into the same number of parts."""
    sample = text[:200_000].splitlines()[:SAMPLED_LINES]
    return max(DELIMITERS, key=lambda delimiter: _agreement(sample, delimiter))


def _agreement(sample: list[str], delimiter: str) -> tuple[int, int]:
    widths = Counter(len(row) for row in csv.reader(sample, delimiter=delimiter) if len(row) > 1)
    width, lines = max(widths.items(), key=lambda item: item[1], default=(0, 0))
    return lines, width
