"""Which language a text is in, by its script and its function words.

W. Cavnar and J. Trenkle's n-grams (1994) and their kin need a model for each language; function words need a list, and
are a third of any text. A short text has none, and then the answer is "".
"""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache

from ha_rag.language.folding import folded
from ha_rag.language.function_words import FUNCTION_WORDS

LONGEST_READ = 1_000
"""How many characters are looked at."""
MOST_UNSPACED = 0.2
"""With more than this share of letters of a script without spaces, that script tells the language."""

_WORD = re.compile(r"[^\W\d_]+(?:[\u0900-\u0dff]+[^\W\d_]*)*")
_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),
    "ko": re.compile("[\uac00-\ud7af]"),
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
    "lo": re.compile("[\u0e80-\u0eff]"),
    "my": re.compile("[\u1000-\u109f]"),
    "km": re.compile("[\u1780-\u17ff]"),
}
_UNSPACED = re.compile("[" + "".join(script.pattern.strip("[]") for script in _SCRIPTS.values()) + "]")
_OWN_LETTERS = {
    "cs": "ěřů", "de": "ß", "es": "ñ¿¡", "fa": "پچژگ", "fr": "œ", "hu": "őű", "pl": "łąężź", "pt": "ãõ", "ro": "țșţ",
    "ru": "ыэ", "tr": "ğ", "uk": "їєґ", "vi": "ơưđạảấầ",
}  # fmt: skip
"""Letters that hardly another language of the list has."""
_BY_LETTER = {letter: language for language, letters in _OWN_LETTERS.items() for letter in letters}
_BY_WORD: dict[str, tuple[str, ...]] = {}
for _language, _words in FUNCTION_WORDS.items():
    for _word in {folded(word) for word in _words}:
        _BY_WORD[_word] = (*_BY_WORD.get(_word, ()), _language)


def language_of(text: str) -> str:
    """The ISO 639-1 code of the language that most of `text` is in; "" if nothing tells it, as of a name."""
    start = folded(text[:LONGEST_READ])
    return (_by_script(start) if not start.isascii() else "") or _by_words(start)


@lru_cache(maxsize=64)
def question_language(question: str) -> str:
    """The same of a question. Kept for the latest ones, because the search and the answer both need it."""
    return language_of(question)


def _by_script(text: str) -> str:
    if not _UNSPACED.search(text):
        return ""
    counts = {language: len(script.findall(text)) for language, script in _SCRIPTS.items()}
    if sum(counts.values()) <= MOST_UNSPACED * sum(map(str.isalpha, text)):
        return ""
    if counts["ja"] > 0.1 * counts["zh"]:  # Japanese has Chinese characters between its own
        counts["ja"] += counts["zh"]
    return max(counts, key=counts.__getitem__)


def _by_words(text: str) -> str:
    shares: defaultdict[str, float] = defaultdict(float)
    for word in _WORD.findall(text):
        languages = _BY_WORD.get(word, ())
        for language in languages:
            shares[language] += 1 / len(languages)
    for letter in () if text.isascii() else _BY_LETTER.keys() & set(text):
        shares[_BY_LETTER[letter]] += 1
    best = sorted(shares, key=shares.__getitem__)[-2:]
    if not best or (len(best) > 1 and shares[best[0]] == shares[best[1]]):
        return ""
    return best[-1]
