"""What counts as text: at least one letter or digit, of any script."""

from __future__ import annotations

import sys

import pytest

from ha_rag.index.document import has_words


def test_every_character_is_judged_as_python_does() -> None:
    wrong = [code for code in range(sys.maxunicode + 1) if has_words(chr(code)) != chr(code).isalnum()]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "found"),
    [("", False), ("!" * 200_000, False), ("!" * 200_000 + "a", True), ("!" * 65_536 + "1", True), ("_ _", False)],
)
def test_a_word_is_found_wherever_it_is(text: str, found: bool) -> None:
    assert has_words(text) is found
