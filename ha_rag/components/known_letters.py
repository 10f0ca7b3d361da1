"""KnownLetters: how much of a text a model's vocabulary knows, judged by the pieces into which it is cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ha_rag.language.unspaced import RUN

_SPECIAL = (("[", "]"), ("<", ">"))
"""How pieces are marked that stand for no text: [UNK], <s>, and the bytes of unknown characters, such as <0xE5>."""
_BEGINNINGS = ("▁", "Ġ")
"""How a piece is marked that begins a word, in vocabularies of the SentencePiece and byte-level forms."""
_CONTINUED = "##"
"""How one is marked that continues a word, in those of the WordPiece form."""
_CONTINUES, _BEGINS, _STANDS_ALONE = 1, 2, 4


class KnownLetters:
    """Of the letters of a text, the share in words that the vocabulary has as a whole. Digits do not count.

    In scripts without spaces: in pieces of at least two letters. A word that is cut into pieces is one that the model
    has seen rarely, and means little to it. Safe across threads.
    Source: the fertility of tokenizers in P. Rust et al., How Good is Your Tokenizer? (2021).
    """

    def __init__(self, vocabulary: Mapping[str, int]) -> None:
        size = max(vocabulary.values(), default=-1) + 1
        letters, kinds = bytearray(size), bytearray(size)
        marked = any(piece.startswith(_BEGINNINGS) for piece in vocabulary)
        for piece, token in vocabulary.items():
            begins = piece.startswith(_BEGINNINGS) if marked else not piece.startswith(_CONTINUED)
            letters[token], kinds[token] = _known_letters(piece), _kind(piece, begins)
        self._letters, self._kinds = bytes(letters), bytes(kinds)

    def share(self, text: str, tokens: Sequence[int]) -> float:
        """From 0 to 1; 0 for a text without letters. `tokens`: the text's, by their numbers in the vocabulary."""
        letters = sum(map(str.isalpha, text))
        return min(1.0, self._known(tokens) / letters) if letters else 0.0

    def _known(self, tokens: Sequence[int]) -> int:
        kinds = [*map(self._kinds.__getitem__, tokens), 0]
        return sum(
            self._letters[token]
            for token, kind, following in zip(tokens, kinds, kinds[1:], strict=False)
            if kind == _STANDS_ALONE or (kind == _BEGINS and following != _CONTINUES)
        )


def _known_letters(piece: str) -> int:
    """The letters of a piece that means something by itself."""
    if (piece[:1], piece[-1:]) in _SPECIAL or len(_unspaced(piece)) == 1:
        return 0
    return min(255, sum(map(str.isalpha, piece)))


def _kind(piece: str, begins: bool) -> int:
    if len(_unspaced(piece)) > 1:
        return _STANDS_ALONE
    return _BEGINS if begins else _CONTINUES if _known_letters(piece) else 0


def _unspaced(piece: str) -> str:
    """The letters of a script without spaces in it."""
    found = RUN.search(piece)
    return found[0] if found else ""
