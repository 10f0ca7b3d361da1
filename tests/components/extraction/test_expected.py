"""What a question asks for, in several languages, and which texts have it."""

from __future__ import annotations

import pytest

from ha_rag.components.extraction.expected import LONGEST_QUESTION, expected_of, subject_of


@pytest.mark.parametrize(
    ("question", "text", "other"),
    [
        ("How many seats are there?", "There are 40 seats.", "There are seats."),
        ("How many seats are there?", "There are twelve seats.", "There are seats."),
        ("How many seats has hall 3?", "It has 40.", "Hall 3 is large."),
        ("Wie viele Plätze gibt es?", "Es sind zwölf.", "Es sind Plätze."),
        ("有多少座位\uff1f", "有四十个座位。", "有座位。"),
        ("何席ありますか いくつ", "40席あります。", "席があります。"),
        ("มีกี่ที่นั่ง", "มีสิบที่", "มีที่นั่ง"),
    ],
)
def test_numbers(question: str, text: str, other: str) -> None:
    expected = expected_of(question)
    assert expected.has_number(text)
    assert not expected.has_number(other)


@pytest.mark.parametrize(
    ("question", "text", "other"),
    [
        ("When was it built?", "It was built in 1931.", "It was built of 12 stones."),
        ("When is it closed?", "On Mondays.", "It is closed."),
        ("Wann wurde sie gebaut?", "Im März.", "Aus Stein."),
        ("何時建成\uff1f", "1931年建成。", "用石头建成。"),
    ],
)
def test_dates(question: str, text: str, other: str) -> None:
    expected = expected_of(question)
    assert expected.has_date(text)
    assert not expected.has_date(other)


def test_names() -> None:
    expected = expected_of("Who designed the Voss bridge?")
    assert expected.has_name("It was designed by Clara Berg.")
    assert not expected.has_name("They built the Voss bridge.")


@pytest.mark.parametrize(
    "question", ["How do I restart it?", "Wie setze ich es zurück?", "如何重启\uff1f", "What are the steps?"]
)
def test_steps(question: str) -> None:
    assert expected_of(question).how


@pytest.mark.parametrize(
    ("question", "several"),
    [
        ("Which plan is the cheapest?", True),
        ("What plans are there?", True),
        ("List all severity levels", True),
        ("Welcher Tarif ist der günstigste?", True),
        ("哪些计划\uff1f", True),
        ("How heavy is the toaster?", False),
        ("Which severity is it when all customers are affected?", False),
        ("How many at most?", False),
        ("Was kostet der Toaster für Gäste?", False),
    ],
)
def test_whether_all_of_something_is_asked_for(question: str, several: bool) -> None:
    assert expected_of(question).several is several


def test_documents_need_not_have_words_that_compare() -> None:
    assert subject_of("Which plan is the cheapest?").split() == ["Which", "plan", "is", "the", "?"]
    assert subject_of("What is the rate?") == "What is the rate?"
    assert subject_of("cheapest?") == "cheapest?"


def test_long_questions_are_cut_in_the_middle() -> None:
    cut = subject_of("begin " + "x" * 8000 + " end")
    assert cut.startswith("begin")
    assert cut.endswith("end")
    assert len(cut) <= LONGEST_QUESTION + 1
