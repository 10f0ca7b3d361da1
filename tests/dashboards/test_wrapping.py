"""Lines that fit a width."""

from __future__ import annotations

import pytest
from rich.text import Text

from ha_rag.dashboards.text.wrapping import padded, shortened, wrapped

WRAPPED = [
    ("a bc def", 8, ["a bc def"]),
    ("a bc def", 7, ["a bc", "def"]),
    ("see https://a.example/long/path now", 12, ["see https://", "a.example/", "long/path", "now"]),
    ("embedder.azure-openai", 10, ["embedder.", "azure-", "openai"]),
    ("abcdefgh", 3, ["abc", "def", "gh"]),
    ("東京リージョン", 6, ["東京リ", "ージョ", "ン"]),
    ("東京リージョン", 7, ["東京リ", "ージョ", "ン"]),
    ("  kept", 10, ["  kept"]),
    ("", 10, [""]),
    ("e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]),
]


@pytest.mark.parametrize(("text", "width", "lines"), WRAPPED)
def test_lines_end_between_words_or_at_signs(text, width, lines):
    assert [line.plain for line in wrapped(Text(text), width)] == lines


def test_further_lines_are_indented_and_keep_their_style():
    first, second = wrapped(Text.assemble("one two ", ("three", "red")), 8, 2)

    assert (first.plain, second.plain) == ("one two", "  three")
    assert [str(span.style) for span in second.spans] == ["red"]


SHORTENED = [
    ("one two three", 13, 1, ["one two three"]),
    ("one two three", 12, 1, ["one two …"]),
    ("one two three four", 8, 2, ["one two", "three …"]),
    ("onetwothree", 5, 1, ["onet …"[:3] + " …"]),
]


@pytest.mark.parametrize(("text", "width", "number", "lines"), SHORTENED)
def test_what_is_left_out_is_marked_after_a_whole_word(text, width, number, lines):
    assert [line.plain for line in shortened(Text(text), width, number)] == lines


def test_padding_counts_cells():
    assert padded(Text("東"), 4).plain == "東  "
    assert padded(Text("東"), 4, right=True).plain == "  東"
