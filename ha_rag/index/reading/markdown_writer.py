"""Writes Markdown block by block: paragraphs, headings, nested lists, quotes, code and table rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

DEEPEST_PREFIX = 12
"""Lists and quotes nested more deeply are written at this depth, since each level indents every line further."""
LINE_BREAK = "\0"
"""A line break within a paragraph, among texts whose white space is collapsed."""
_LOOKS_LIKE_MARKUP = re.compile(r"(?=#{1,6}(?:\s|$)|>|```|~~~|(?:[-*_] *){3,}$|=+$)")


@dataclass(slots=True)
class _Prefix:
    """What stands before the lines of a list item or a quote: `first` before its first line, then `rest`."""

    first: str
    rest: str
    begun: bool = False


class MarkdownWriter:
    """Collects blocks. Text is collapsed as browsers do; a block ends where the next one begins."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._inline: list[str] = []
        self._prefixes: list[_Prefix] = []
        self._heading = 0
        self._last_was_item = False

    def text(self, text: str) -> None:
        """Adds text to the current paragraph, heading or item."""
        self._inline.append(text)

    def heading(self, level: int) -> None:
        """Begins a heading; the next block ends it."""
        self.end_block()
        self._heading = level

    def enter(self, first: str, rest: str) -> None:
        """Begins a list item or a quote, with the prefixes of its lines."""
        self.end_block()
        self._prefixes.append(_Prefix(first, rest))

    def leave(self) -> None:
        """Ends the innermost list item or quote."""
        self.end_block()
        if self._prefixes:
            self._prefixes.pop()

    def end_block(self) -> None:
        """Ends the current paragraph, heading or item, if it has text."""
        text = "".join(self._inline)
        self._inline.clear()
        lines = [" ".join(line.split()) for line in text.split(LINE_BREAK)]
        lines = [line for line in lines if line]
        if lines and self._heading:
            self._emit([f"{'#' * self._heading} {' '.join(lines)}"])
        elif lines:
            self._emit(["\\" + line if _LOOKS_LIKE_MARKUP.match(line) else line for line in lines])
        self._heading = 0

    def code(self, text: str) -> None:
        """A block of code, kept as it is."""
        self.end_block()
        if text.strip():
            ticks = max((len(run) for run in re.findall("`{3,}", text)), default=2) + 1
            self._emit(["`" * ticks, *text.strip("\n").split("\n"), "`" * ticks])

    def lines(self, lines: Iterable[str]) -> None:
        """Lines that are Markdown already, such as the rows of a table."""
        self.end_block()
        kept = list(lines)
        if kept:
            self._emit(kept)

    def written(self) -> str:
        """The whole text."""
        self.end_block()
        return "\n".join(self._blocks).strip("\n")

    def _emit(self, lines: list[str]) -> None:
        prefixes = self._prefixes[:DEEPEST_PREFIX]
        is_item = any(prefix.first != prefix.rest for prefix in prefixes)
        if self._blocks and not (is_item and self._last_was_item):
            self._blocks.append("".join(prefix.rest for prefix in prefixes if prefix.begun).rstrip())
        self._last_was_item = is_item
        for line in lines:
            self._blocks.append("".join(prefix.first for prefix in prefixes) + line)
            for prefix in prefixes:
                prefix.first, prefix.begun = prefix.rest, True
