"""The tokens of a text for a vocabulary of word pieces, cut word by word: a word that has been cut before is looked up.

A tokenizer merges pieces as long as their union is in its vocabulary (R. Sennrich and others, 2016). If no piece of the
vocabulary goes from one word into the next, the tokens of a text are those of its words, one after the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPACE = "\u2581"
"""How a space is written in the pieces of the vocabulary. The tokenizer puts one before a text."""
KEPT_WORDS = 50_000
"""So many words, with their tokens, take some 15 MB."""
LONGEST_KEPT_WORD = 32
"""Characters. Longer ones, such as addresses and whole lines of Chinese, hardly occur again."""

_WORD = re.compile(" +[^ ]*")
_INTO_THE_NEXT = re.compile(f"[^{SPACE}]{SPACE}")


class WordTokenizer:
    """Cuts texts into the same tokens as `tokenizer`, which is of the library `tokenizers`. Safe across threads."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._by_words = not any(map(_INTO_THE_NEXT.search, tokenizer.get_vocab(with_added_tokens=False)))
        special = [SPACE, *(token.content for token in tokenizer.get_added_tokens_decoder().values())]
        self._special = re.compile("|".join(map(re.escape, special)))
        self._kept: dict[str, Sequence[int]] = {}

    def tokens(self, text: str) -> list[int]:
        """The tokens of a text, without those that mark its beginning and end. `text`: without lone surrogates."""
        return list(chain.from_iterable(self._tokens_of_parts(text)))

    def count(self, text: str) -> int:
        """The number of tokens of a text."""
        return sum(map(len, self._tokens_of_parts(text)))

    def _tokens_of_parts(self, text: str) -> Sequence[Sequence[int]]:
        if not text or not self._by_words or self._special.search(text):
            return [self._cut(text)]
        words = _WORD.findall(f" {text}")
        kept = self._kept
        return [kept.get(word) or self._learnt(word) for word in words]

    def _learnt(self, word: str) -> Sequence[int]:
        tokens = self._cut(word[1:]) if word != " " else self._of_last_space
        if len(word) <= LONGEST_KEPT_WORD:
            if len(self._kept) >= KEPT_WORDS:
                self._kept = {}
            self._kept[word] = tuple(tokens)
        return tokens

    @property
    def _of_last_space(self) -> Sequence[int]:
        return self._cut("a ")[-1:]

    def _cut(self, text: str) -> Sequence[int]:
        # Unlike `encode`, it makes no table of positions, which takes more than half of the time for a long word.
        tokens: list[int] = self._tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return tokens


@lru_cache(maxsize=4)
def tokenizer_in(file: Path) -> Tokenizer:
    """The tokenizer in a file of the library `tokenizers`, without truncation and padding; loaded once.

    Raises OSError, ValueError, and ImportError if the library is not installed.
    """
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(file.read_text("utf-8"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@lru_cache(maxsize=4)
def word_tokenizer_in(file: Path) -> WordTokenizer:
    """The same, word by word."""
    return WordTokenizer(tokenizer_in(file))
