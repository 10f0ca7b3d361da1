"""Validation of questions, top_k and timeouts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ha_rag.errors import ConfigurationError
from ha_rag.strategy.question import checked_question, checked_timeout_s, checked_top_k


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ("", "must not be empty"),
        (" \t\n", "must not be empty"),
        ("\x00\x01\x1b", "must not be empty"),
        ("x" * 8_001, "8,001 characters; at most 8,000"),
        ("half a pair \ud800", "not valid Unicode"),
        (b"bytes", "must be a string, not bytes"),
        (None, "must be a string, not NoneType"),
        (["a"], "must be a string, not list"),
    ],
)
def test_an_invalid_question_is_refused(question: object, rule: str) -> None:
    with pytest.raises(ConfigurationError, match=rule):
        checked_question(question)


@pytest.mark.parametrize(
    ("question", "kept"),
    [
        ("  Why?  ", "Why?"),
        ("x" * 8_000, "x" * 8_000),
        ("<script>alert(1)</script> why?", "<script>alert(1)</script> why?"),
        ("nul\x00and escape\x1b[31m", "nul and escape [31m"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("Warum öffnet der Kreis? 🔌", "Warum öffnet der Kreis? 🔌"),
    ],
)
def test_unusual_questions_are_kept_without_their_control_characters(question: str, kept: str) -> None:
    assert checked_question(question) == kept


@given(st.text(max_size=200))
def test_an_accepted_question_can_be_encoded_and_is_accepted_again(text: str) -> None:
    try:
        question = checked_question(text)
    except ConfigurationError:
        return
    assert question.encode("utf-8")
    assert checked_question(question) == question


@pytest.mark.parametrize("top_k", [0, 51, -1, 2.0, True, "3", None])
def test_a_top_k_outside_its_range_is_refused(top_k: object) -> None:
    with pytest.raises(ConfigurationError, match=r"top_k = .*from 1 to 50"):
        checked_top_k(top_k)


@pytest.mark.parametrize("timeout_s", [0, -0.1, float("nan"), float("inf"), True, "1", None])
def test_an_invalid_timeout_is_refused(timeout_s: object) -> None:
    with pytest.raises(ConfigurationError, match="timeout_s = "):
        checked_timeout_s(timeout_s)
