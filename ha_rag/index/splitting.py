"""Splitting: turns a document into overlapping chunks that fit an embedding model, each with its headings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from ha_rag.errors import ConfigurationError
from ha_rag.index.document import Chunk, Document
from ha_rag.index.nesting import nesting

SPLITTING_VERSION = 2
"""Incremented when the same text would be split differently; documents split by another version are ingested again."""
CHARACTERS_PER_TOKEN = 4
DEEPEST_NESTING = 32
"""Markdown nested more deeply is split as plain text: the splitter takes time quadratic in the depth, up to minutes."""
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*)$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Splitting:
    """The size of chunks. `max_tokens`: the longest chunk. `overlap_tokens`: repeated from the previous chunk.

    Tokens are those of the local embedding model if wordllama is installed, else four characters each. Raises
    ConfigurationError.
    """

    max_tokens: int = 400
    overlap_tokens: int = 40

    def __post_init__(self) -> None:
        if not 16 <= self.max_tokens <= 8192:
            raise ConfigurationError(f"max_tokens = {self.max_tokens!r}: must be between 16 and 8192")
        if not 0 <= self.overlap_tokens <= self.max_tokens // 2:
            raise ConfigurationError(
                f"overlap_tokens = {self.overlap_tokens!r}: must be from 0 to half of max_tokens ({self.max_tokens})"
            )


DEFAULT_SPLITTING = Splitting()


def split(document: Document, splitting: Splitting = DEFAULT_SPLITTING) -> list[Chunk]:
    """The chunks of a document in order; none if it has no words. Deterministic; safe across threads."""
    by_structure = document.markdown and nesting(document.text) <= DEEPEST_NESTING
    splitter = _splitter(by_structure, splitting.max_tokens, splitting.overlap_tokens)
    outline = _outline(document.text) if document.markdown else _Outline((), ())
    chunks = [
        Chunk(text=text, title=document.title, heading=outline.above(start))
        for start, text in _new_starts(document.text, splitter.chunk_indices(document.text))
        if any(character.isalnum() for character in text)
    ]
    with_content = [chunk for chunk in chunks if not _is_only_headings(chunk.text)] if document.markdown else chunks
    return with_content or chunks


def _new_starts(text: str, chunks: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Each chunk with the position of its first new character: the overlap may belong to an earlier heading."""
    end = 0
    for start, chunk in chunks:
        new = max(start, end)
        while new < len(text) and text[new].isspace():
            new += 1
        yield new, chunk
        end = start + len(chunk)


@lru_cache(maxsize=8)
def _splitter(markdown: bool, max_tokens: int, overlap: int) -> MarkdownSplitter | TextSplitter:
    kind = MarkdownSplitter if markdown else TextSplitter
    tokenizer = _tokenizer_file()
    if tokenizer is not None:
        return kind.from_huggingface_tokenizer_file(str(tokenizer), max_tokens, overlap)
    return kind(max_tokens * CHARACTERS_PER_TOKEN, overlap * CHARACTERS_PER_TOKEN)


def _tokenizer_file() -> Path | None:
    # Importing wordllama would take a second and configure logging.
    package = find_spec("wordllama")
    if package is None or package.origin is None:
        return None
    return next((Path(package.origin).parent / "tokenizers").glob("*.json"), None)


@dataclass(frozen=True, slots=True)
class _Outline:
    """The headings of a text: `paths[i]` applies from `starts[i]` to the next start."""

    starts: tuple[int, ...]
    paths: tuple[str, ...]

    def above(self, position: int) -> str:
        at = bisect_right(self.starts, position) - 1
        return self.paths[at] if at >= 0 else ""


def _outline(text: str) -> _Outline:
    starts: list[int] = []
    paths: list[str] = []
    stack: list[tuple[int, str]] = []
    for start, level, title in _headings(text):
        stack = [*(entry for entry in stack if entry[0] < level), (level, title)]
        starts.append(start)
        paths.append(" > ".join(name for _, name in stack))
    return _Outline(tuple(starts), tuple(paths))


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, level and text of each heading outside of code blocks."""
    position, fence = 0, ""
    for line in text.splitlines(keepends=True):
        if mark := _FENCE.match(line):
            fence = "" if fence == mark[1] else fence or mark[1]
        elif not fence and (heading := _HEADING.match(line.rstrip("\r\n"))):
            yield position, len(heading[1]), heading[2].rstrip(" \t#").strip()
        position += len(line)


def first_heading(text: str) -> str:
    """The first heading of a Markdown text, or "" if it has none."""
    return next((title for _, _, title in _headings(text)), "")


def _is_only_headings(text: str) -> bool:
    return all(_HEADING.match(line) or not line.strip() for line in text.splitlines())
