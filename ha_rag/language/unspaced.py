"""Scripts that put no spaces between words: their words are pairs of neighbouring letters.

Chinese, Japanese, Korean (whose particles cling to words), Thai, Lao, Khmer, Myanmar and their kin. Pairs find a word
in any sentence without a dictionary: J. Nie, J. Gao, J. Zhang and M. Zhou, On the use of words and n-grams for Chinese
information retrieval (2000). A letter is a code point with its marks: a Thai tone is not one by itself.
"""

from __future__ import annotations

import re
from itertools import pairwise

_LETTERS = (
    "\u0e01-\u0e4e\u0e81-\u0eae\u0eb0-\u0ece\u0edc-\u0edf"  # Thai, Lao
    "\u1000-\u103f\u1050-\u108f\u109a-\u109f\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17d3\u17d7\u17dc\u17dd"  # Khmer
    "\u1950-\u19c9\u1a20-\u1a7f\uaa80-\uaadf"  # Tai Le, New Tai Lue, Tai Tham, Tai Viet
    "\u1100-\u11ff\uac00-\ud7ff"  # Hangul
    "\u2e80-\u2fdf\u3005\u3007\u3021-\u3029\u3031-\u3035\u303b\u3040-\u30fa\u30fc-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\ua4cf\uf900-\ufaff\U00016fe0-\U00018cff\U0001aff0-\U0001b16f\U00020000-\U0003ffff"
)
_MARKS = (
    "\u0e31\u0e33-\u0e3a\u0e45\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ece\u102b-\u103e\u1056-\u1059\u105e-\u1060"
    "\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109d\ua9e5\uaa7b-\uaa7d\u17b4-\u17d3\u17dd"
    "\u19b0-\u19c9\u1a55-\u1a7f\uaab0\uaab2-\uaab4\uaab7\uaab8\uaabe\uaabf\uaac1\u302a-\u302f\u3099\u309a\U00016fe4\U00016ff0\U00016ff1"
)
RUN = re.compile(f"[{_LETTERS}]+")
LETTER = re.compile(f"[{_LETTERS}](?:[\u17d2\u1039\u1a60].|[{_MARKS}])*", re.DOTALL)

_IDEOGRAPH = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def letters(run: str) -> list[str]:
    """The letters of a run, each with its marks."""
    return LETTER.findall(run)


def pairs(run: str) -> list[str]:
    """Each letter of a run with the next one; a letter that is alone is its own word."""
    found = letters(run)
    return [one + other for one, other in pairwise(found)] if len(found) > 1 else found


def spaced(text: str) -> str:
    """`text` with spaces around and between the words of these scripts. The rest stays, such as VPN in Chinese text."""
    return text if text.isascii() else RUN.sub(lambda run: f" {' '.join(pairs(run.group()))} ", text)


def apart(text: str) -> tuple[str, list[str]]:
    """`text` with a space in place of each run of these scripts, and the words of the runs."""
    words: list[str] = []

    def taken(run: re.Match[str]) -> str:
        words.extend(pairs(run.group()))
        return " "

    return RUN.sub(taken, text), words


def single_letters(text: str) -> list[str]:
    """Each letter of these scripts in `text`, in order, as often as it occurs."""
    return [] if text.isascii() else [letter for run in RUN.findall(text) for letter in letters(run)]


def lone_letters(text: str) -> list[str]:
    """The letters of these scripts in `text` that have no neighbour, as in a question of one letter."""
    runs = [] if text.isascii() else [letters(run) for run in RUN.findall(text)]
    return [run[0] for run in runs if len(run) == 1]


def ideographs(text: str) -> list[str]:
    """Each Chinese character in `text`, once, in order. By itself it is a word or part of one, unlike other letters."""
    return [] if text.isascii() else list(dict.fromkeys(_IDEOGRAPH.findall(text)))
