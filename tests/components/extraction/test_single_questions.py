"""Questions that ask several things are parted; others stay as they are."""

from __future__ import annotations

import pytest

from ha_rag.components.extraction.single_questions import single_questions


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        ("What does it cost and how long does it take?", ("What does it cost", "how long does it take?")),
        ("When was it built? Who built it?", ("When was it built?", "Who built it?")),
        ("Was kostet es und wie lange dauert es?", ("Was kostet es", "wie lange dauert es?")),
    ],
)
def test_two_questions(question: str, parts: tuple[str, ...]) -> None:
    assert single_questions(question) == parts


@pytest.mark.parametrize(
    "question",
    [
        "What is the price of salt and pepper?",
        "Which builder is given a plan and must follow it?",
        "How do I restart it, and why?",
        "",
        "?",
        "what " * 1000,
        "Why? " * 20,
    ],
)
def test_one_question(question: str) -> None:
    assert single_questions(question) == (question,)
