"""What an answer's record says of its text: quotes of the cited passages, and whether it answers."""

from __future__ import annotations

import pytest

from ha_rag.messages import Generation, Passage, Quote
from ha_rag.strategy.citing import citations, is_answered

PASSAGES = [Passage("a.md", "a.md#0", "A circuit rests. Then it probes."), Passage("b.md", "b.md#0", "Bread is baked.")]


def test_a_citation_quotes_what_the_generator_says() -> None:
    (cited,) = citations(PASSAGES, Generation("Then it probes [1].", (1,), quotes=(Quote(1, 17, 32), Quote(1, 0, 16))))
    assert (cited.n, cited.quote, cited.quote_start, cited.quote_end) == (1, "Then it probes.", 17, 32)
    assert cited.text == PASSAGES[0].text


def test_the_quote_of_a_model_is_looked_for() -> None:
    first, second = citations(PASSAGES, Generation("A circuit probes [1]. Fish swim [2].", (1, 2)))
    assert first.quote in PASSAGES[0].text
    assert first.quote
    assert second.quote == ""


def test_an_answer_that_cites_nothing_lists_all_passages_without_quotes() -> None:
    assert [(one.n, one.quote) for one in citations(PASSAGES, Generation("Yes."))] == [(1, ""), (2, "")]


@pytest.mark.parametrize(
    ("generator", "passages", "text", "answered"),
    [
        ("primary", PASSAGES, "It probes [1].", True),
        ("primary", PASSAGES, "The documents do not say. They are about bread [2].", False),
        ("primary", PASSAGES, "**The documents do not say** ...", False),
        ("primary", PASSAGES, "(Simulated answer) The documents do not say.", False),
        ("primary", [], "I know it by heart.", False),
        ("plain", PASSAGES, "No answer could be generated.", False),
    ],
)
def test_answers_are_told_from_what_is_none(generator: str, passages: list[Passage], text: str, answered: bool) -> None:
    assert is_answered(generator, passages, text) is answered
