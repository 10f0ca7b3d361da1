"""Lists and tables at the edges of a passage: where the splitter has cut one, its parts belong together."""

from __future__ import annotations

import re
from functools import lru_cache

KEPT = 4096
"""How many passages are remembered as seen: they are found again and again, and each is asked about its edges."""
_ITEM = re.compile(r"[ \t]*(?:[-*+•]|\d{1,4}[.)]|[a-zA-Z][.)])[ \t]+\S")
_INDENTED = re.compile(r"(?: {2,}|\t)\S")
_ROW = re.compile(r"[ \t]*\|")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_COLONS = (":", "\uff1a")  # the second one is that of Chinese and Japanese texts


@lru_cache(maxsize=KEPT)
def begins_in_list(text: str) -> bool:
    """Whether `text` begins with an item of a list, so that others, or what introduces them, may come before it."""
    return _is_item(_first_line(text))


@lru_cache(maxsize=KEPT)
def ends_in_list(text: str) -> bool:
    """Whether `text` ends with an item of a list, or with a colon that announces something."""
    block = text.rstrip().rsplit("\n\n", 1)[-1]
    return block.endswith(_COLONS) or any(map(_is_item, block.split("\n")))


def list_continues(before: str, after: str) -> bool:
    """Whether a list, or what a colon announces, goes on from the end of `before` at the beginning of `after`."""
    return before.rstrip().endswith(_COLONS) or (ends_in_list(before) and begins_in_list(after))


def table_continues(before: str, after: str) -> bool:
    """Whether a table goes on from the last line of `before` in the first one of `after`."""
    return bool(_ROW.match(before.rstrip().rsplit("\n", 1)[-1]) and _ROW.match(after))


@lru_cache(maxsize=KEPT)
def lacks_header(text: str) -> bool:
    """Whether `text` begins with a row of a table that is not its header."""
    lines = text.split("\n", 2)
    return bool(_ROW.match(text)) and not (len(lines) > 1 and _is_rule(lines[1]))


def header_in(text: str) -> str | None:
    """The header of the last table in `text`, with the line below it; None if there is none."""
    lines = text.split("\n")
    for n in range(len(lines) - 1, 0, -1):
        if _is_rule(lines[n]) and _ROW.match(lines[n - 1]):
            return "\n".join(lines[n - 1 : n + 1])
    return None


def _first_line(text: str) -> str:
    return text.split("\n", 1)[0]


def _is_item(line: str) -> bool:
    return bool(_ITEM.match(line) or _INDENTED.match(line))


def _is_rule(line: str) -> bool:
    return "|" in line and bool(_RULE.fullmatch(line))
