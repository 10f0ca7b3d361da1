"""Reasoning in the text of an answer, split in any way."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.components.generators.answer_text import AnswerText, text_of
from ha_rag.components.generators.thinking import TAGS, ThinkingFilter, after_thinking
from tests.depth import deep

PARTS = [
    "<think>",
    "</think>",
    "<THINK>",
    "[think]",
    "[/think]",
    "`<think>",
    "<",
    "<th",
    "[",
    "a",
    " b\n",
    "İ",
    "ß",
    "</",
]


def filtered(*pieces: str) -> str:
    thinking = ThinkingFilter()
    return "".join([*map(thinking.feed, pieces), thinking.end()])


@pytest.mark.parametrize(("opening", "closing"), TAGS.items())
def test_every_pair_of_tags_is_left_out_with_what_is_between(opening: str, closing: str) -> None:
    assert filtered(f"a {opening}no [1]{closing} b") == "a  b"
    assert filtered(f"a {opening.upper()}no{closing.upper()} b") == "a  b"
    assert filtered(*f"a {opening}no{closing} b") == "a  b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a", "a"),
        ("", ""),
        ("a <think>never closed", "a "),
        ("<think>a</think><think>b</think>c", "c"),
        ("<think>a</thinking>b</think>c", "c"),
        ("a < b <thing> </think", "a < b <thing> </think"),
        ("`<think>` and ``<think>``", "`<think>` and ``<think>``"),
        ("<think>İİİ</think>b", "b"),
        ("İ<think>no</think>b", "İb"),
        ("a<think></think>", "a"),
        ("<", "<"),
    ],
)
def test_what_is_shown_of_a_text(text: str, shown: str) -> None:
    assert filtered(text) == shown
    assert filtered(*text) == shown


@deep(300)
@given(parts=st.lists(st.sampled_from(PARTS), max_size=12), cuts=st.lists(st.integers(0, 80), max_size=6))
def test_how_a_text_is_split_makes_no_difference(parts: list[str], cuts: list[int]) -> None:
    text = "".join(parts)
    at = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    assert filtered(*(text[i:j] for i, j in pairwise(at))) == filtered(text)


@pytest.mark.parametrize(
    ("text", "rest"),
    [("hm [2]\n</think>\nYes [1].", "\nYes [1]."), ("Yes.", "Yes."), ("write `</think>`", "write `</think>`")],
)
def test_what_a_closing_tag_alone_ends_is_left_out_of_a_complete_text(text: str, rest: str) -> None:
    assert after_thinking(text) == rest


def told(*pieces: str) -> str:
    text = AnswerText()
    return "".join([*map(text.feed, pieces), text.end()])


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["\n", " \n", "a", " ", "b"], "a b"),
        (["<think>x</think>", "\n\n", "a"], "a"),
        (["a\ud83d", "\ude00b"], "a\U0001f600b"),
        (["a\ud83d", "b"], "a\ufffdb"),
        (["a\ud83d"], "a\ufffd"),
        (["\ude00a"], "\ufffda"),
        (["a\ud83d", "", "\ude00"], "a\U0001f600"),
        (["<think>\ud83d", "\ude00</think>a"], "a"),
    ],
    ids=ascii,
)
def test_pieces_as_they_are_shown(pieces: list[str], shown: str) -> None:
    assert told(*pieces) == shown


def test_it_says_whether_anything_was_said_and_whether_it_still_thinks() -> None:
    text = AnswerText()
    assert text.said_nothing
    text.feed("<think>a")
    assert (text.said_nothing, text.is_thinking) == (True, True)
    text.feed("</think> b")
    assert (text.said_nothing, text.is_thinking) == (False, False)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a", "a"),
        (["a", {"text": "b"}, {"type": "text", "text": "c"}, {"type": "output_text", "text": {"value": "d"}}], "abcd"),
        (
            [
                {"type": "thinking", "thinking": "no"},
                {"type": "reasoning", "text": "no"},
                {"text": "no", "thought": True},
            ],
            "",
        ),
        ([{"type": "image_url"}, None, 5, [], {"type": "text", "text": None}], ""),
        ({"type": "text", "text": "a"}, "a"),
        (None, ""),
        (5, ""),
    ],
    ids=str,
)
def test_the_text_of_a_content(content: object, text: str) -> None:
    assert text_of(content) == text
