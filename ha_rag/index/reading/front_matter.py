"""Front matter: the YAML (`---`), TOML (`+++`) or JSON (`{`) block at the start of a Markdown text."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Mapping
from typing import Any

import yaml

_BLOCK = re.compile(
    r"\A\ufeff?\s{0,20}(---|\+\+\+)[ \t]*\n(.{0,1000000}?)^(?:\1|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
LONGEST_VALUE = 1000
MOST_VALUES = 100
LONGEST_PARSED = 65_536
"""Of a longer block only the values in single lines are taken: the parser takes seconds for a megabyte."""
_KNOWN = frozenset({"title", "date", "tags", "categories", "author", "description", "draft", "slug", "layout"})


def split_front_matter(text: str) -> tuple[dict[str, object], str]:
    """The metadata at the start of a text, and the text after it. Text that is not a table of values is left alone."""
    if text.lstrip("\ufeff").startswith("{\n"):
        return _of_json(text.lstrip("\ufeff"))
    found = _BLOCK.match(text)
    if found is None:
        return {}, text
    if len(found[2]) > LONGEST_PARSED:
        return _plain(_by_line(found[2]) or _top_lines(found[2])), text[found.end() :]
    try:
        table: object = tomllib.loads(found[2]) if found[1] == "+++" else yaml.safe_load(found[2])
    except (tomllib.TOMLDecodeError, yaml.YAMLError, ValueError, RecursionError, TypeError, OverflowError):
        return _by_line(found[2]), text[found.end() :] if _by_line(found[2]) else text
    if not isinstance(table, Mapping):
        # An empty block is front matter; a rule above a paragraph is not.
        return {}, text[found.end() :] if table is None else text
    return _plain(table), text[found.end() :]


def _of_json(text: str) -> tuple[dict[str, object], str]:
    """The same where the metadata is a JSON object, as Hugo has it."""
    try:
        table, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return {}, text
    if not isinstance(table, dict) or not _KNOWN & table.keys() or text[end : end + 1] not in ("", "\n"):
        return {}, text
    return _plain(table), text[end + 1 :]


def _top_lines(block: str) -> dict[str, object]:
    """The values of YAML that stand on the line of their key, without what is indented."""
    pairs = (line.partition(":") for line in block.splitlines() if re.match(r"[\w.-]+:[ \t]+\S", line))
    return {key: value.strip().strip("\"'") for key, _, value in pairs}


def _by_line(block: str) -> dict[str, object]:
    """`key: value` lines of YAML that is not valid, such as `title: Costs: a guide`."""
    lines = [line for line in block.splitlines() if line.strip() and not line.startswith((" ", "\t", "-", "#"))]
    pairs = [line.partition(":") for line in lines]
    if not all(colon and re.fullmatch(r"[\w.-]+", key.strip()) for key, colon, _ in pairs):
        return {}
    return _plain({key.strip(): value.strip().strip("\"'") for key, _, value in pairs})


def _plain(table: Mapping[Any, object]) -> dict[str, object]:
    """The values that are text, numbers, dates or lists of these. Others may be huge, by aliases."""
    plain = {str(key)[:LONGEST_VALUE]: _value(value) for key, value in list(table.items())[:MOST_VALUES]}
    return {key: value for key, value in plain.items() if value is not None}


def _value(value: object) -> object:
    if isinstance(value, list | tuple):
        return [item for item in map(_scalar, value[:MOST_VALUES]) if item is not None]
    return _scalar(value)


def _scalar(value: object) -> object:
    if isinstance(value, bool | int | float):
        return value if abs(value) < 10**15 else None
    if isinstance(value, datetime.datetime | datetime.date):
        return value.isoformat()
    return value[:LONGEST_VALUE] if isinstance(value, str) else None
