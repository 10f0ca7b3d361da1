"""Nesting depth of the quotes and lists in a Markdown text (CommonMark 0.31, container blocks)."""

from __future__ import annotations

import re

_QUOTE = r">[ \t]?"
_ITEM = r"(?:[-*+]|\d{1,9}[.)])[ \t]+"
_PREFIX = re.compile(rf"(?:[ \t]*(?:{_QUOTE}|{_ITEM}))+")
_MARK = re.compile(rf"{_QUOTE}|{_ITEM}")
_RULE = re.compile(r"[ \t]*([-*])(?:[ \t]*\1){2,}[ \t]*$")


def nesting(text: str) -> int:
    """The depth of the deepest quote or list item; 0 if there is none. Takes linear time.

    An upper bound: items inside code blocks are counted too, since only a parser can tell what is code.
    """
    deepest, columns = 0, list[int]()
    for line in text.splitlines():
        marks = [] if _RULE.match(line) else _columns(line)
        if marks:
            columns = [column for column in columns if column < marks[0]] + marks
            deepest = max(deepest, len(columns))
    return deepest


def _columns(line: str) -> list[int]:
    """The columns of the quote and list markers at the start of a line."""
    prefix = _PREFIX.match(line)
    return [mark.start() for mark in _MARK.finditer(prefix[0])] if prefix else []
