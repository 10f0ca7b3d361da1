"""The blocks of a Markdown text with their positions, as CommonMark defines them: found by markdown-it-py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading. `start`: the position of its first character. `level`: 1 to 6."""

    start: int
    level: int
    title: str


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    # Imported here because a replica that only answers questions starts faster without it.
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark").enable("table")
    # Blocks alone: what is inside a paragraph does not move one, and takes most of the time.
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def blocks_of(text: str) -> list[Token]:
    """The tokens of all blocks; `map` holds the first line and the line after the last one. Takes linear time."""
    # The parser takes other characters for line ends than str.splitlines does, and replaces zero bytes.
    return _parser().parse(text)


def lines_of(text: str) -> list[str]:
    """The lines of a text as the parser counts them, each with its line feed."""
    lines = text.split("\n")
    return [line + "\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def headings_of(text: str) -> list[Heading]:
    """The headings of a text in order, without those in code and those of quotes and lists."""
    starts = line_starts(text)
    return [Heading(starts[line], level, title) for line, level, title in _headings(blocks_of(text))]


def first_heading_of(tokens: Sequence[Token]) -> str:
    """The first heading among the blocks of a text, or ""."""
    return next((title for _, _, title in _headings(tokens)), "")


def _headings(tokens: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    """Line, level and title."""
    for at, token in enumerate(tokens):
        if token.type == "heading_open" and token.map and token.level == 0:
            yield token.map[0], int(token.tag[1:]), " ".join(tokens[at + 1].content.split())


def line_starts(text: str) -> list[int]:
    """The position of each line."""
    return [0, *accumulate(map(len, lines_of(text)))]
