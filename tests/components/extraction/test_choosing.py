"""Which units make up an answer: enough, and nothing to fill up."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from ha_rag.components.extraction.candidates import Candidate, candidates_of
from ha_rag.components.extraction.choosing import chosen
from ha_rag.messages import Passage

PROSE = "The pump is red. The valve is blue. The hose is long. The lid is round."
TABLE = "- Plan: Solo; Price: 9\n- Plan: Team; Price: 29\n- Plan: Max; Price: 99"
FIRST = "To install it:\n\n1. Download it.\n2. Unpack it.\n3. Check it."
SECOND = "3. Check it.\n4. Run it.\n5. Restart."


def _candidates(*texts: str) -> list[Candidate]:
    return candidates_of([Passage("a.md", f"a.md#{n}", text) for n, text in enumerate(texts)])


def _texts(found: Sequence[Candidate]) -> list[str]:
    return [each.unit.text for each in found]


def test_one_sentence_is_enough_where_it_is_likely() -> None:
    assert _texts(chosen(_candidates(PROSE), [9, 2, 1, 1], 3, 900)) == ["The pump is red."]


def test_a_likely_second_sentence_is_added() -> None:
    assert _texts(chosen(_candidates(PROSE), [5, 4.5, 0, 0], 3, 900)) == ["The pump is red.", "The valve is blue."]


@pytest.mark.parametrize(("most", "max_chars", "count"), [(1, 900, 1), (2, 900, 2), (9, 40, 2), (9, 1, 1)])
def test_there_are_at_most_so_many_and_so_long(most: int, max_chars: int, count: int) -> None:
    assert len(chosen(_candidates(PROSE), [1, 1, 1, 1], most, max_chars)) == count


def test_nothing_is_chosen_if_nothing_has_to_do_with_the_question() -> None:
    assert chosen(_candidates(PROSE), [-math.inf] * 4, 3, 900) == []
    assert chosen([], [], 3, 900) == []


def test_one_row_answers_and_all_rows_compare() -> None:
    rows = _candidates(TABLE)
    assert len(chosen(rows, [5, 2, 1], 3, 900)) == 1
    assert _texts(chosen(rows, [5, 2, 1], 1, 900, several=True)) == [
        "Plan: Solo; Price: 9",
        "Plan: Team; Price: 29",
        "Plan: Max; Price: 99",
    ]
    assert len(chosen(rows, [5, 2, 1], 3, 45, several=True)) == 2


@pytest.mark.parametrize("best", [0, 1], ids=["its beginning", "its end"])
def test_a_procedure_that_runs_over_two_passages_is_quoted_whole(best: int) -> None:
    scores = [1.0, 1.0]
    scores[best] = 5
    first, second = chosen(_candidates(FIRST, SECOND), scores, 1, 10)
    assert (first.unit.lead, second.unit.goes_on) == ("To install it:", True)
    assert second.unit.text.splitlines() == ["4. Run it.", "5. Restart."]


def test_lists_of_other_documents_are_not_the_same_procedure() -> None:
    passages = [Passage("a.md", "a.md#0", FIRST), Passage("b.md", "b.md#0", SECOND)]
    assert len(chosen(candidates_of(passages), [5, 1], 3, 900)) == 1


def test_a_limit_beside_what_is_chosen_stands_with_it() -> None:
    text = "Drain the node before a restart. Never restart two at once. The logs are kept."
    assert "Never restart two at once." in _texts(chosen(_candidates(text), [9, 0, 0], 1, 900))
