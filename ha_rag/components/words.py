"""Tokenizing, stop words and stemming, for comparing texts word by word."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")

_STOP_WORDS = """
a about after again all also am an and any are as at be because been before being but by can cannot could did do does
doing done down each else every few for from further get gets got had has have having he her here hers him his how i if
in into is it its itself just let may me might more most must my no nor not of off on once only or other our out over
own per same shall she should so some such than that the their them then there these they this those through to too
under until up upon us very was we were what when where which while who whom whose why will with would you your yours
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())
"""English words that are too common to distinguish texts."""

_ENDINGS = ("ingly", "edly", "ing", "ies", "ed", "es", "ly", "s", "e", "y")
_SHORTEST_STEM = 3
_LONGEST_STEM = 8


def words_of(text: str) -> list[str]:
    """The words of `text` in order, lower-cased and normalized (NFKC)."""
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text)
    return WORD.findall(plain.lower())


def significant_stems(text: str) -> frozenset[str]:
    """The stems of the words in `text` that are not stop words."""
    return frozenset(stem(word) for word in words_of(text) if word not in STOP_WORDS)


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """The common stem of a word's forms, such as recover, recovers, recovering and recovery.

    Deliberately coarse: it removes one ending and keeps the first eight letters. It needs no dictionary and prefers
    false matches to missed ones.
    """
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            return word[: -len(ending)][:_LONGEST_STEM]
    return word[:_LONGEST_STEM]
