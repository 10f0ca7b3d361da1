"""Tells when a page's fonts do not say which characters they show, so that its text is rubbish."""

from __future__ import annotations

import unicodedata
from typing import Any

from pypdfium2 import raw

MOST_SAMPLED = 1000
FEWEST_VOWELS = 0.2
"""Of the Latin letters of a text in any language that is written with them."""
_VOWELS = frozenset("aeiouyäöüáéíóúàèìòùâêîôûåæø")


def is_unmapped(page: Any, text: str) -> bool:
    """Whether most characters of a page (a PdfTextPage) have no mapping to Unicode, and its text does not read well."""
    unassigned = sum(unicodedata.category(character) in ("Cn", "Co") or character == "\ufffd" for character in text)
    visible = sum(not character.isspace() for character in text)
    if unassigned * 2 > visible:
        return True
    count = page.count_chars()
    sampled = range(0, count, max(1, count // MOST_SAMPLED))
    errors = sum(raw.FPDFText_HasUnicodeMapError(page.raw, at) == 1 for at in sampled)
    return errors * 2 > len(sampled) and not _reads_well(text)


def _reads_well(text: str) -> bool:
    """Whether a text whose characters were guessed from their codes has the vowels and spaces of a language."""
    letters = [character for character in text.lower() if character.isalpha()]
    visible = sum(not character.isspace() for character in text)
    vowels = sum(letter in _VOWELS for letter in letters)
    return len(letters) * 4 > visible * 3 and vowels > FEWEST_VOWELS * len(letters)
