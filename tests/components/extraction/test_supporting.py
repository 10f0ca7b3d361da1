"""Which sentence of a cited passage supports what a language model wrote."""

from __future__ import annotations

from ha_rag.components.extraction.supporting import supporting_quotes
from ha_rag.messages import Passage

TEXT = "The circuit rests for a while. Then one probe passes. Two good probes close the circuit."
PASSAGE = Passage("a.md", "a.md#0", TEXT)


def _quoted(answer: str, *cited: int) -> list[str]:
    return [TEXT[quote.start : quote.end] for quote in supporting_quotes(answer, [PASSAGE], cited)]


def test_the_sentence_with_most_words_in_common_is_found() -> None:
    assert _quoted("It closes after two good probes [1].", 1) == ["Two good probes close the circuit."]


def test_nothing_is_found_where_nothing_is_in_common() -> None:
    assert _quoted("Bread is baked at noon [1].", 1) == []
    assert _quoted("", 1) == []


def test_numbers_of_no_passage_are_ignored() -> None:
    assert _quoted("It closes after two good probes [7].", 0, 7) == []
