"""Folding: the same text written in different code points becomes the same string."""

from __future__ import annotations

import re
import unicodedata

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
_GREEK = [chr(code) for block in (range(0x370, 0x400), range(0x1F00, 0x2000)) for code in block]
_BARE_GREEK = {letter: unicodedata.normalize("NFD", letter)[0] for letter in _GREEK}
_ZEROS = "\u0660\u06f0\u0966\u09e6\u0a66\u0ae6\u0b66\u0be6\u0c66\u0ce6\u0d66\u0e50\u0ed0\u0f20\u1040\u17e0"
_OTHER_LETTERS = str.maketrans(
    {
        **{chr(ord(zero) + digit): str(digit) for zero in _ZEROS for digit in range(10)},
        **{letter: bare for letter, bare in _BARE_GREEK.items() if letter != bare},
        "\u0307": None,  # the dot that lower case leaves over an i
        "\u0640": None,  # the stroke that stretches an Arabic word
        **dict.fromkeys("\u0622\u0623\u0625", "\u0627"),
        "\u03c2": "\u03c3",  # final sigma
        "\u0451": "\u0435",  # yo as ye
        "\u0131": "i",  # without its dot
        **{chr(mark): None for mark in (*range(0x5B0, 0x5BE), *range(0x64B, 0x660), 0x670)},
    }
)
"""What is often typed otherwise: Arabic or Thai digits, accents over Greek letters, points of Hebrew and Arabic."""
_OTHER_LETTER = re.compile("[" + "".join(map(chr, _OTHER_LETTERS)) + "]")


def composed(text: str) -> str:
    """`text` in Unicode's normal form NFKC (UAX 15) without what is invisible.

    Soft hyphens, joiners and marks of direction are gone. Full width letters and digits become ordinary ones, half
    width kana full ones, decomposed Hangul syllables. The text may be shorter or longer afterwards.
    """
    if text.isascii():
        return text
    # Once more at the end: NFKC makes an invisible letter of another one.
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", _INVISIBLE.sub("", text)))


def folded(text: str) -> str:
    """`text` composed and in lower case, with accents where they distinguish words: those of Latin letters stay."""
    if text.isascii():
        return text.lower()
    lower = composed(text).lower()
    return lower.translate(_OTHER_LETTERS) if _OTHER_LETTER.search(lower) else lower
