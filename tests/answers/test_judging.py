"""The rules tell right answers from wrong, partial and dangerous ones."""

from __future__ import annotations

import pytest

from tests.answers.judging import HandbookQuestion

RESTART = HandbookQuestion(1, "How?", ("drain", "restart", "undrain it|put it back"), ("never mind",), refused=False)
REFUSED = HandbookQuestion(2, "hello", (), (), refused=True)


@pytest.mark.parametrize(
    ("question", "text", "verdict"),
    [
        (RESTART, "1. Drain. 2. Restart. 3. Put it back.", "right"),
        (RESTART, "Restart [1].", "partial"),
        (RESTART, "Drain, restart, undrain it, never mind.", "wrong"),
        (RESTART, "The documents do not say. The closest passage says: Drain [1].", "refused"),
        (REFUSED, "The documents do not say. The closest passage says: Hello [1].", "right"),
        (REFUSED, "Hello [1].", "wrong"),
    ],
)
def test_an_answer_gets_its_verdict(question: HandbookQuestion, text: str, verdict: str) -> None:
    assert question.verdict(text) == verdict


def test_a_procedure_with_a_step_missing_is_dangerous() -> None:
    assert RESTART.is_dangerous("Restart it [1].")
    assert not RESTART.is_dangerous("Drain, restart, undrain it [1].")
