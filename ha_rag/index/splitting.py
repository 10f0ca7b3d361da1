"""Splitting: turns a document into overlapping chunks that fit an embedding model, each with its headings."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from semantic_text_splitter import MarkdownSplitter, TextSplitter

from ha_rag.errors import ConfigurationError
from ha_rag.index.document import Chunk, Document, has_words
from ha_rag.index.markdown_blocks import Heading, headings_of
from ha_rag.index.nesting import nesting
from ha_rag.index.short_texts import ShortTextsWhole
from ha_rag.index.windows import ChunkSplitter, chunks_of
from ha_rag.language.tokens import word_tokenizer_in

SPLITTING_VERSION = 3
"""Incremented when the same text would be split differently; documents split by another version are ingested again."""
CHARACTERS_PER_TOKEN = 4
DEEPEST_NESTING = 32
"""Markdown nested more deeply is split as plain text: the splitter takes time quadratic in the depth, up to minutes."""
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t]")


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
    longest = splitting.max_tokens * CHARACTERS_PER_TOKEN
    chunks = [
        Chunk(text=text, title=document.title, heading=outline.above(start))
        for start, text in _new_starts(document.text, chunks_of(document.text, splitter, longest))
        if has_words(text)
    ]
    with_content = [chunk for chunk in chunks if not _is_only_headings(chunk.text)] if document.markdown else chunks
    return with_content or chunks


def _new_starts(text: str, chunks: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Each chunk with the position of its first new character: the overlap may belong to an earlier heading."""
    end = 0
    for start, chunk in chunks:
        new = max(start, end)
        while new < len(text) and text[new].isspace():
            new += 1
        yield new, chunk
        end = start + len(chunk)


@lru_cache(maxsize=8)
def _splitter(markdown: bool, max_tokens: int, overlap: int) -> ChunkSplitter:
    kind = MarkdownSplitter if markdown else TextSplitter
    tokenizer = _tokenizer_file()
    if tokenizer is not None:
        count = word_tokenizer_in(tokenizer).count
        return ShortTextsWhole(kind.from_callback(count, max_tokens, overlap), count, max_tokens)
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
    stack: list[Heading] = []
    for heading in headings_of(text):
        stack = [*(above for above in stack if above.level < heading.level), heading]
        starts.append(heading.start)
        paths.append(" > ".join(above.title for above in stack))
    return _Outline(tuple(starts), tuple(paths))


def first_heading(text: str) -> str:
    """The first heading of a Markdown text, or "" if it has none."""
    return next((heading.title for heading in headings_of(text)), "")


def _is_only_headings(text: str) -> bool:
    return all(_HEADING.match(line) or not line.strip() for line in text.splitlines())
