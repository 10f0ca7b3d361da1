"""Joining the texts of passages that follow one another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ha_rag.components.retrievers.joining import joined_text, overlap
from ha_rag.index.document import Document
from ha_rag.index.splitting import Splitting, split

SENTENCES = ["One sentence here.", "Another one of them!", "And a third, longer than both?"]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        pytest.param(["One. Two of them.", "Two of them. Three."], "One. Two of them. Three.", id="overlap"),
        pytest.param(["a b " * 9 + "end of it", "end of it, and on"], "a b " * 9 + "end of it, and on", id="half"),
        pytest.param(["The whole text.", "The whole text."], "The whole text.", id="the same text"),
        pytest.param(
            ["First paragraph.", "Second paragraph."], "First paragraph.\n\nSecond paragraph.", id="paragraphs"
        ),
        pytest.param(
            ["a sentence that was", "cut in the middle"], "a sentence that was cut in the middle", id="sentence"
        ),
        pytest.param(["See step 5", "5. Restart"], "See step 5 5. Restart", id="equal by chance"),
        pytest.param(["1. Drain it.", "2. Restart it."], "1. Drain it.\n2. Restart it.", id="items"),
        pytest.param(["Do this:", "1. Drain it."], "Do this:\n1. Drain it.", id="an introduction"),
        pytest.param(["| a | b |", "| c | d |"], "| a | b |\n| c | d |", id="rows"),
        pytest.param(["text", "# Heading"], "text\n\n# Heading", id="a heading"),
        pytest.param(["断路器在失败", "后打开"], "断路器在失败后打开", id="Chinese"),
        pytest.param(["выключатель снова", "замкнут"], "выключатель снова замкнут", id="Russian"),
        pytest.param(["alone"], "alone", id="one text"),
    ],
)
def test_texts_are_joined_as_they_stood(texts: list[str], joined: str) -> None:
    assert joined_text(texts) == joined


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("", "text"), ("text", ""), ("short", "shorter"), ("ab", "cd")]
)
def test_what_does_not_overlap_is_joined_whole(before: str, after: str) -> None:
    assert overlap(before, after) == 0


def test_the_longest_overlap_counts() -> None:
    assert overlap("x abcabcabc abcabcabc", "abcabcabc abcabcabc y") == 19


@settings(deadline=None)
@given(st.lists(st.sampled_from(SENTENCES), min_size=40))
def test_the_passages_of_a_text_join_to_the_text_with_nothing_twice(sentences: list[str]) -> None:
    text = " ".join(f"{n} {sentence}" for n, sentence in enumerate(sentences))
    chunks = split(Document(id="a", text=text), Splitting(max_tokens=64, overlap_tokens=24))
    assert " ".join(joined_text([chunk.text for chunk in chunks]).split()) == text
