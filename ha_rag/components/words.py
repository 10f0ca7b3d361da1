"""Words of a text, and which of them say little: shared by what compares texts word by word."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

_COMMON = """
a about after again all also am an and any are as at be because been before being but by can cannot could did do does
doing done down each else every few for from further get gets got had has have having he her here hers him his how i if
in into is it its itself just let may me might more most must my no nor not of off on once only or other our out over
own per same shall she should so some such than that the their them then there these they this those through to too
under until up upon us very was we were what when where which while who whom whose why will with would you your yours
"""
COMMON = frozenset(_COMMON.split())
"""English words too common to tell one text from another."""

_ENDINGS = ("ingly", "edly", "ing", "ies", "ed", "es", "ly", "s", "e", "y")
_SHORTEST_STEM = 3
_LONGEST_STEM = 8


def words_of(text: str) -> list[str]:
    """The words of `text` in their order, lower-cased, in one Unicode form (NFKC)."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return WORD.findall(plain.lower())


def telling_stems(text: str) -> frozenset[str]:
    """The stems of the words in `text` that are not common."""
    return frozenset(stem(word) for word in words_of(text) if word not in COMMON)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """What a word shares with its other forms: recover, recovers, recovering and recovery are one.

    Coarse on purpose (one ending off, then the first eight letters): it needs no dictionary and errs toward a match.
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)][:_LONGEST_STEM]
    return word[:_LONGEST_STEM]
