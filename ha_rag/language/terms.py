"""Terms: the words of a text in the form in which they are compared, stemmed by the text's language.

The stemmers and the lists of stop words are tantivy's: M. Porter, Snowball (2001). A word that no list knows, in a
language without a stemmer, is compared as it is, in lower case and without accents.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from itertools import chain, repeat

import tantivy

from ha_rag.language.folding import folded
from ha_rag.language.function_words import FUNCTION_WORDS
from ha_rag.language.unspaced import RUN, apart, pairs, spaced

LONGEST_TERM = 128
"""Bytes. Longer words, such as encoded data, are left out."""
STEMMERS = {
    "ar": "arabic", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish", "fi": "finnish",
    "fr": "french", "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sv": "swedish", "ta": "tamil", "tr": "turkish",
}  # fmt: skip
"""ISO 639-1 code -> tantivy's name of its stemmer."""
_WITHOUT_STOP_WORDS = {"ar", "el", "ro", "ta", "tr"}
_CAPITALS = re.compile(r"\b[A-Z]{2,10}\b")
_WORD = r"[\p{L}\p{N}][\p{L}\p{M}\p{N}]*"


def words_of(text: str) -> list[str]:
    """The words of `text` in order, folded; those of scripts without spaces as pairs of letters."""
    text = folded(text)
    if text.isascii():
        return _analyze(text, None, None)
    found, end = list[str](), 0
    for run in RUN.finditer(text):
        found += _words_between(text[end : run.start()])
        for pair in pairs(run.group()):
            found += (pair,) if _is_term(pair) else _analyze(pair, None, None)
        end = run.end()
    return found + _words_between(text[end:])


def _words_between(text: str) -> list[str]:
    return [] if not text or text.isspace() else _analyze(text, None, None)


def terms_of(text: str, language: str) -> list[str]:
    """The terms of a text in `language` (ISO 639-1, or ""), in order, without its stop words."""
    return _analyze(spaced(folded(text)), language, None)


def distinct_terms(text: str, language: str) -> frozenset[str]:
    """The terms of a text in `language`, each once. As `terms_of`, but in a third of the time for Thai and its kin.

    Pairs of letters are terms already: no list of stop words has them, and no stemmer changes them.
    """
    rest, cut = apart(folded(text)) if not text.isascii() else (text.lower(), [])
    whole = frozenset(filter(_is_term, frozenset(cut)))
    others = [pair for pair in cut if pair not in whole]
    return whole.union(_analyze(" ".join([rest, *others]), language, None))


def question_terms(question: str, language: str, spoken: str) -> list[str]:
    """The terms of a question by which texts in `language` are searched; also without the common words of either.

    `spoken`: the language of the question, or "". In order, each once. A word in capitals among others that are not is
    a name, such as WHO, and no common word.
    """
    names = [] if question.isupper() else _CAPITALS.findall(question)
    words = question_words(question)
    terms = chain.from_iterable(map(word_terms, words, repeat(language), repeat(spoken)))
    return list(dict.fromkeys([*terms, *terms_of(" ".join(names), language)] if names else terms))


@lru_cache(maxsize=64)
def question_words(question: str) -> tuple[str, ...]:
    """The words of a question in order, each once. Kept for the latest: the search and the answer both need them."""
    return tuple(dict.fromkeys(words_of(question)))


@lru_cache(maxsize=16_384)
def word_terms(word: str, language: str, spoken: str) -> tuple[str, ...]:
    """The terms of a word of a question. Kept, because most words have been asked before."""
    if RUN.fullmatch(word) and _is_term(word):
        return () if word in _common_words(language) or word in _common_words(spoken) else (word,)
    return tuple(dict.fromkeys(_analyze(word, language, spoken)))


@cache
def _common_words(language: str) -> frozenset[str]:
    return frozenset(map(folded, FUNCTION_WORDS.get(language, ())))


@lru_cache(maxsize=65_536)
def _is_term(pair: str) -> bool:
    """Whether a pair of letters is cut as one word: some of these letters are signs, which are left out."""
    marked = all(letter.isalnum() or unicodedata.category(letter).startswith("M") for letter in pair[1:])
    return pair[0].isalnum() and marked and len(pair.encode()) < LONGEST_TERM


def _analyze(text: str, language: str | None, spoken: str | None) -> list[str]:
    found: list[str] = _analyzer(language, spoken, text.isascii()).analyze(text)
    return found


@cache
def _analyzer(language: str | None, spoken: str | None, ascii_only: bool) -> tantivy.TextAnalyzer:
    """`language`: None to leave nothing out and stem nothing. `spoken`: the language of a question, None for a text."""
    word = tantivy.Filter
    # Both cut ASCII alike, and the first one takes a third of the time; it would cut Indian words at their vowels.
    cut = tantivy.Tokenizer.simple() if ascii_only else tantivy.Tokenizer.regex(_WORD)
    analyzer = tantivy.TextAnalyzerBuilder(cut).filter(word.remove_long(LONGEST_TERM))
    if language is None:
        return analyzer.build()
    for one in {language, spoken}:
        if one in STEMMERS and one not in _WITHOUT_STOP_WORDS:
            analyzer = analyzer.filter(word.stopword(STEMMERS[one]))
        if spoken is not None and one in FUNCTION_WORDS:
            analyzer = analyzer.filter(word.custom_stopword(sorted(_common_words(one))))
    analyzer = analyzer.filter(word.ascii_fold())
    return analyzer.filter(word.stemmer(STEMMERS[language])).build() if language in STEMMERS else analyzer.build()
