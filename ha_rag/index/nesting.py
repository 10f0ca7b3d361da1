"""Nesting: how deep the quotes and lists of a Markdown text stand in each other (CommonMark 0.31, container blocks)."""

from __future__ import annotations

import re

_QUOTE = r">[ \t]?"
_ITEM = r"(?:[-*+]|\d{1,9}[.)])[ \t]+"
_PREFIX = re.compile(rf"(?:[ \t]*(?:{_QUOTE}|{_ITEM}))+")
_MARK = re.compile(rf"{_QUOTE}|{_ITEM}")
_RULE = re.compile(r"[ \t]*([-*])(?:[ \t]*\1){2,}[ \t]*$")


def nesting(text: str) -> int:
    """The depth of its deepest quote or list item; 0 where there is none. Linear in the text; never too small.

    Items in a block of code count, too: what is in code and what is not is for a parser to say.
    """
    deepest, columns = 0, list[int]()
    for line in text.splitlines():
        marks = [] if _RULE.match(line) else _columns(line)
        if marks:
            columns = [column for column in columns if column < marks[0]] + marks
            deepest = max(deepest, len(columns))
    return deepest


def _columns(line: str) -> list[int]:
    """Where the marks stand that the line begins with."""
    prefix = _PREFIX.match(line)
    return [mark.start() for mark in _MARK.finditer(prefix[0])] if prefix else []
