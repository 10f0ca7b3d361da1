"""The same text once: a passage whose words are those of a better one, or part of them, is named beside it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from ha_rag.messages import Passage

FEWEST_LETTERS = 40
"""Of a text that is left out because it is part of another one. A shorter one may stand there by chance."""
_HEADING = re.compile(r"^ {0,3}#{1,6}[ \t].*$", re.MULTILINE)
_BETWEEN_WORDS = re.compile(r"[\W_]+")


def distinct(found: Iterable[tuple[int, Passage]]) -> list[tuple[int, Passage]]:
    """The (row, passage) pairs without those that repeat an earlier one. Their documents are in its `also_in`.

    Case, punctuation, spacing, Markdown and headings do not count. One different word or number does: two versions of a
    rule are two texts, and which of them applies is not for the search to say.
    """
    kept: list[tuple[int, Passage]] = []
    known: list[str] = []
    others: dict[int, list[str]] = {}
    for row, passage in found:
        words = _words(passage.text)
        original = next((n for n, earlier in enumerate(known) if _repeats(words, earlier)), None)
        if original is None:
            kept.append((row, passage))
            known.append(words)
        elif passage.document != kept[original][1].document:
            others.setdefault(original, []).append(passage.document)
    return [(row, _named(passage, others.get(n, ()))) for n, (row, passage) in enumerate(kept)]


def _repeats(words: str, known: str) -> bool:
    return words == known or (len(words) >= FEWEST_LETTERS and f" {words} " in f" {known} ")


def _named(passage: Passage, others: Iterable[str]) -> Passage:
    named = tuple(dict.fromkeys(others))
    return replace(passage, also_in=named) if named else passage


@lru_cache(maxsize=4096)
def _words(text: str) -> str:
    """The words of a text, compared with those of others. Cached, because passages are retrieved again and again."""
    plain = _HEADING.sub(" ", text)
    plain = plain if plain.isascii() else unicodedata.normalize("NFKC", plain)
    return _BETWEEN_WORDS.sub(" ", plain.casefold()).strip() or text
