"""Reads JSON: each object as one list item, "- name: Anna; city: Ulm", under the names that lead to it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import decoded
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.json_values import json_sequence
from ha_rag.index.reading.tables import table_lines, with_header


def read_json(file: RawFile) -> Extract:
    """The texts and numbers in a JSON file, with their names. Raises UnreadableDocumentError.

    Values one after the other are read as well, and anything else as the text that it is.
    """
    found = decoded(file)
    source = found.text.lstrip("\ufeff")
    notices = found.notices
    try:
        value = _parsed(source)
        title = value.get("title") or value.get("name") if isinstance(value, dict) else ""
        lines = "\n".join(value_lines(value))
    except ValueError as error:
        notices = (*notices, f"is not valid JSON ({str(error)[:200]}); read as text")
        title, lines = "", source
    text, left_out = without_blobs(lines)
    return Extract(
        text=text, title=title if isinstance(title, str) else "", notices=(*notices, *left_out),
        guessed=found.guessed,
    )  # fmt: skip


def _parsed(source: str) -> object:
    """The value of a text; a list of them if there are several. Numbers stay as they are written."""
    try:
        return json.loads(source, parse_int=str, parse_float=str)
    except ValueError:
        values = json_sequence(source)
        if values is None:
            raise
        return values


def value_lines(value: object) -> Iterator[str]:
    """The lines for a value and all in it."""
    ahead: list[tuple[str, object]] = [("", value)]
    while ahead:
        path, current = ahead.pop()
        if isinstance(current, Mapping):
            current = _with_named_columns(current)
            flat = [f"{key}: {shown}" for key, item in current.items() if (shown := _shown(item))]
            if flat:
                yield f"- {f'{path}: ' if path else ''}" + "; ".join(flat)
            ahead += [
                (f"{path} > {key}" if path else str(key), item)
                for key, item in reversed(list(current.items()))
                if isinstance(item, Mapping | list) and not _shown(item)
            ]
        elif isinstance(current, list):
            yield from _rows(path, current) if _is_table(current) else ()
            ahead += [(path, item) for item in reversed(current)] if not _is_table(current) else []
        elif shown := _shown(current):
            yield f"- {path}: {shown}" if path else f"- {shown}"


def _with_named_columns(table: Mapping[str, object]) -> Mapping[str, object]:
    """`{"columns": [...], "data": [[...], ...]}` with the names as the first row, as pandas and many services write."""
    for names, rows in (("columns", "data"), ("columns", "rows"), ("headers", "rows"), ("header", "rows")):
        columns, values = table.get(names), table.get(rows)
        if not (isinstance(columns, list) and isinstance(values, list) and values and _shown(columns)):
            continue
        if all(isinstance(row, list) and len(row) == len(columns) for row in values):
            rest = {key: value for key, value in table.items() if key != names}
            return rest | {rows: [columns, *values]}
    return table


def _is_table(values: Sequence[object]) -> bool:
    """Whether a list holds rows: two or more lists of single values."""
    return len(values) > 1 and all(
        isinstance(row, list) and row and not any(isinstance(cell, Mapping | list) for cell in row) for row in values
    )


def _rows(path: str, rows: Sequence[object]) -> Iterator[str]:
    header, rest = with_header([[_shown(cell) for cell in row] for row in rows if isinstance(row, list)])
    yield from (f"- {path}: {line[2:]}" if path else line for line in table_lines(rest, header))


def _shown(value: object) -> str:
    """A value that fits on its object's line: text, a number, a truth value or a list of these; else ""."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return " ".join(str(value).split())
    if isinstance(value, Sequence) and value and not any(isinstance(item, Mapping | list) for item in value):
        return ", ".join(filter(None, map(_shown, value)))
    return ""
