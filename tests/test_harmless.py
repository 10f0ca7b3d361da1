"""harmless(): nothing in a text from outside changes how the text around it looks."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.harmless import MARKS_IN_A_ROW, harmless, harmless_json

ANY_TEXT = st.text(st.characters(), max_size=40)  # lone surrogates, too
TROUBLE = st.text(
    st.sampled_from("\x1b\x00\x7f\x85\r\n\t \u200b\u200d\ufe0f\u202e\u2066\u2028\u0301\u3164\U000e0041\ud800aéא❤"),
    max_size=40,
)
INVISIBLE = {"\u200c", "\u200d", *map(chr, range(0xFE00, 0xFE10)), *map(chr, range(0xE0100, 0xE01F0)),
             "\u180b", "\u180c", "\u180d", "\u180f"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("4 of 5 calls failed", "4 of 5 calls failed"),
        ("Grüße, 世界, שלום, مرحبا, नमस्ते", "Grüße, 世界, שלום, مرحبا, नमस्ते"),
        ("deploy\n12:00:00 INFO all is well", r"deploy\n12:00:00 INFO all is well"),
        ("\x1b[31mred\x07\x9b", r"\x1b[31mred\x07\x9b"),
        ("rag-\u202e1-gar", r"rag-\u202e1-gar"),
        ("\u2066a\u2069\u200e\u200f\u061c", r"\u2066a\u2069\u200e\u200f\u061c"),
        ("a\u2028b\u2029c\x85d\x0be\x0c", r"a\u2028b\u2029c\x85d\x0be\x0c"),
        ("x\U000e0041\U000e007f", r"x\U000e0041\U000e007f"),
        ("rag-1\u200b", r"rag-1\u200b"),
        ("\ufeffa\u00adb\u2060c\u3164d", r"\ufeffa\xadb\u2060c\u3164d"),
        ("a\ud800", r"a\ud800"),
        ("a\u00a0b\u3000c\u202fd", "a b c d"),
    ],
)
def test_what_could_change_the_text_around_it_is_shown_as_an_escape(text, shown):
    assert harmless(text) == shown


@pytest.mark.parametrize(
    "text",
    ["\u0645\u06cc\u200c\u062e\u0648", "क्\u200dष", "❤\ufe0f", "👩\u200d💻", "葛\U000e0100"],
)
def test_joiners_and_selectors_stay_where_a_script_or_an_emoji_needs_them(text):
    assert harmless(text) == text


@pytest.mark.parametrize("text", ["rag\u200d-1", "\u200drag", "rag-1\ufe0f", "é\u200d\u200d", "é\ufe0f\ufe0f"])
def test_elsewhere_they_are_shown(text):
    assert harmless(text).count("\\") == 1


def test_marks_neither_pile_up_nor_change_the_text_before():
    assert harmless("\u0301a") == r"\u0301a"
    assert harmless("e\u0301\u0323") == "e\u0301\u0323"
    assert harmless("e" + "\u0301" * 40) == "e" + "\u0301" * MARKS_IN_A_ROW + r"\u0301" * (40 - MARKS_IN_A_ROW)


def test_prose_keeps_its_lines_and_nothing_else():
    assert harmless("one\r\ntwo\n\tthree\rfour\u2028", lines=True) == "one\ntwo\n\tthree\\rfour\\u2028"
    assert harmless("one\n\u0301", lines=True) == "one\n\\u0301"


def test_a_long_text_is_cut():
    assert harmless("x" * 20, longest=10) == "x" * 9 + "…"
    assert harmless("\x00" * 20, longest=10) == r"\x00\x00\…"


def test_no_character_of_unicode_is_let_through_that_changes_other_text():
    for code in range(0x110000):
        shown = harmless(f"a{chr(code)}b")
        assert shown.isprintable(), hex(code)
        assert not INVISIBLE.intersection(shown), hex(code)
        assert shown[0] == "a", hex(code)
        assert shown[-1] == "b", hex(code)


@given(ANY_TEXT | TROUBLE)
def test_whatever_the_text_one_line_of_visible_characters_results(text):
    shown = harmless(text)

    assert all(c.isprintable() or c in INVISIBLE for c in shown)
    assert shown.encode().decode() == shown
    for before, character in zip(" " + shown, shown, strict=False):
        if character in INVISIBLE:
            assert not before.isascii(), "a joiner or selector follows what it belongs to"
    assert harmless(shown) == shown, "what is harmless stays as it is"


@given(ANY_TEXT | TROUBLE)
def test_whatever_the_prose_only_its_own_lines_begin_lines(text):
    assert harmless(text, lines=True).split("\n") == [
        harmless(line) if "\t" not in line else harmless(line, lines=True)
        for line in text.replace("\r\n", "\n").split("\n")
    ]


@given(TROUBLE, TROUBLE)
def test_texts_that_differ_look_different(one, other):
    def told(text):
        return "".join(" " if unicodedata.category(c) == "Zs" else c for c in text)

    assert (harmless(one) == harmless(other)) == (told(one) == told(other))


@given(st.dictionaries(ANY_TEXT, ANY_TEXT | TROUBLE))
def test_json_is_printable_ascii_and_says_the_same(value):
    text = harmless_json(value)

    assert text.isascii()
    assert text.isprintable()
    assert json.loads(text) == value
