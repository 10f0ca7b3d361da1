"""How much of a text a vocabulary knows."""

from __future__ import annotations

import pytest

from ha_rag.components.known_letters import KnownLetters

MARKED = {
    "▁circuit": 0,
    "▁break": 1,
    "er": 2,
    "▁": 3,
    "▁a": 4,
    "7": 5,
    "?": 6,
    "##": 7,
    "路": 8,
    "断路": 9,
    "<0xE5>": 10,
}
"""As SentencePiece has it: the beginnings of words are marked."""
CONTINUED = {"[UNK]": 0, "circuit": 1, "break": 2, "##er": 3, "?": 4, "路": 5, "##路": 6, "x" * 400: 7}
"""As WordPiece has it: what continues a word is marked."""


@pytest.mark.parametrize(
    ("text", "tokens", "share"),
    [
        pytest.param("", [], 0.0, id="an empty text"),
        pytest.param("circuit", [0], 1.0, id="a whole word"),
        pytest.param("a circuit", [4, 0], 1.0, id="a word of one letter"),
        pytest.param("circuit breaker?", [0, 1, 2, 6], 7 / 14, id="a word in pieces"),
        pytest.param("circuit 77?", [0, 3, 5, 5, 6], 1.0, id="digits and punctuation count nothing"),
        pytest.param("7?", [5, 6], 0.0, id="only digits and punctuation"),
        pytest.param("路路", [3, 8, 8], 0.0, id="single characters of a script without spaces"),
        pytest.param("断路路", [3, 9, 8], 2 / 3, id="two characters of one"),
        pytest.param("circuit器", [0, 10, 10, 10], 7 / 8, id="bytes of a character that is not in the vocabulary"),
    ],
)
def test_share_of_the_letters_in_whole_words(text: str, tokens: list[int], share: float) -> None:
    assert KnownLetters(MARKED).share(text, tokens) == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "tokens", "share"),
    [
        pytest.param("circuit?", [1, 4], 1.0, id="a whole word"),
        pytest.param("circuit breaker?", [1, 2, 3, 4], 7 / 14, id="a word in pieces"),
        pytest.param("circuit unknown", [1, 0], 7 / 14, id="a word that is not in the vocabulary"),
        pytest.param("路路", [5, 6], 0.0, id="single characters of a script without spaces"),
        pytest.param("x" * 400, [7], 255 / 400, id="a very long piece"),
        pytest.param("circui", [1], 1.0, id="a text that became longer when it was cut"),
    ],
)
def test_the_other_form_of_vocabularies(text: str, tokens: list[int], share: float) -> None:
    assert KnownLetters(CONTINUED).share(text, tokens) == pytest.approx(share)


def test_an_empty_vocabulary_knows_nothing() -> None:
    assert KnownLetters({}).share("", []) == 0.0
