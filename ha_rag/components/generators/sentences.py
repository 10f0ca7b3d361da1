"""Extracts complete sentences from a passage, without Markdown syntax, code, tables and headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ha_rag.components.extraction.wording import readable
from ha_rag.language.sentences import sentence_spans

_FENCE = re.compile(r"^\s*(```|~~~)")
_HEADING = re.compile(r"^\s{0,3}#{1,6}\s|^\s*(={3,}|-{3,}|\*{3,}|_{3,})\s*$")
_TABLE = re.compile(r"^\s*\||\s\|\s.*\|")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_HTML = re.compile(r"<!--.{0,2000}?-->|</?[a-zA-Z][^<>]{0,300}>", re.DOTALL)
_CODE_LINE = re.compile(r"[{};\\]\s*$|^\s*(?:\$ |>>> |import |from \w+ import |def |class |return |@\w|[\w.\[\]]+ = )")
FEWEST_WORDS = 4
LONGEST_PASSAGE = 10_000
"""How many characters are read; indexed passages have a tenth of that. Like the bounds above, it limits the cost."""


@lru_cache(maxsize=4096)
def sentences_of(text: str) -> tuple[str, ...]:
    """The complete sentences of a passage, in order. Cached, because passages are retrieved again and again."""
    return tuple(
        sentence for block in _blocks(text[:LONGEST_PASSAGE]) for sentence in _split(block) if _reads_well(sentence)
    )


def prose_of(text: str) -> str:
    """The sentences of a passage on one line."""
    return " ".join(sentences_of(text))


def _blocks(text: str) -> Iterator[str]:
    """Paragraphs and list items with their lines joined, without anything that is not prose."""
    block: list[str] = []
    for line in _prose_lines(text):
        if not line.strip() or _ITEM.match(line):
            yield readable(" ".join(block))
            block = []
        block.append(_ITEM.sub("", line).lstrip(" \t>"))
    yield readable(" ".join(block))


def _prose_lines(text: str) -> Iterator[str]:
    """The lines of the text, with those that are not prose replaced by empty ones."""
    in_code = False
    for line in _HTML.sub(" ", text).splitlines():
        if _FENCE.match(line):
            in_code = not in_code
            yield ""
        elif in_code or _HEADING.match(line) or _TABLE.search(line) or _CODE_LINE.search(line):
            yield ""
        else:
            yield line


def _split(block: str) -> Iterator[str]:
    return (block[start:end] for start, end in sentence_spans(block))


def _reads_well(sentence: str) -> bool:
    """Whether it is understandable by itself: a few words, and no colon at the end that introduces something else."""
    return (
        sentence.count(" ") + 1 >= FEWEST_WORDS
        and not sentence.endswith(":")
        and any(c.isalpha() for c in sentence[:3])
    )
