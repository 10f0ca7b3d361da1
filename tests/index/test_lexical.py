"""Lexical search: stems, no query syntax, and no results without a matching word."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.errors import IndexStoreError
from ha_rag.index.lexical import LexicalSearch, write_lexical
from tests.index.places import texts_of

TEXTS = {1: "A circuit recovers after its recovery timeout.", 2: "Zebras graze near the river.", 3: "Café society"}


@pytest.fixture
def search(tmp_path: Path) -> LexicalSearch:
    write_lexical(tmp_path, (), texts_of(TEXTS))
    return LexicalSearch.open(tmp_path)


def _rows(search: LexicalSearch, question: str, limit: int = 10) -> list[int]:
    return [row for row, _ in search.search(question, limit)]


@pytest.mark.parametrize(
    ("question", "rows"),
    [("recovering circuits", [1]), ("ZEBRA", [2]), ("cafe", [3]), ("a café by the river", [3, 2])],
)
def test_words_are_found_by_their_stem_whatever_their_case_and_accents(
    search: LexicalSearch, question: str, rows: list[int]
) -> None:
    assert sorted(_rows(search, question)) == sorted(rows)


@pytest.mark.parametrize(
    "question", ["", "   ", "the of and", "what is it", "quantum chromodynamics", "?!", "\x00\x01"]
)
def test_a_question_without_a_matching_word_finds_nothing(search: LexicalSearch, question: str) -> None:
    assert _rows(search, question) == []


@pytest.mark.parametrize(
    "question",
    [
        *('zebra"', '"zebra', "zebra AND", "AND OR NOT zebra", "NEAR(zebra, 2)", "zebra*", "{zebra}", "[zebra TO"),
        *("text:zebra", "zebra^", "zebra~2", "+zebra -zebra", "zebra\\", "(zebra", "zebra\x00\x07", "zebra\ud800"),
        *("<b>zebra</b>", "' OR 1=1; zebra"),
    ],
)
def test_query_syntax_has_no_special_meaning(search: LexicalSearch, question: str) -> None:
    assert 2 in _rows(search, question)


def test_a_huge_question_is_searched_by_its_first_words(search: LexicalSearch) -> None:
    assert _rows(search, "zebra " + " ".join(f"word{n}" for n in range(100_000))) == [2]


def test_results_are_sorted_by_score_and_limited(search: LexicalSearch) -> None:
    hits = search.search("circuit river society", 2)
    assert len(hits) == 2
    assert hits[0][1] >= hits[1][1] > 0


def test_writing_the_same_rows_twice_changes_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        write_lexical(tmp_path, [9], texts_of(TEXTS))
    assert LexicalSearch.open(tmp_path).passages == 3


def test_an_open_search_is_not_affected_by_later_writes(tmp_path: Path, search: LexicalSearch) -> None:
    write_lexical(tmp_path, [2], texts_of({4: "A zebra crossing"}))
    assert _rows(search, "zebra") == [2]
    assert _rows(LexicalSearch.open(tmp_path), "zebra") == [4]


def test_a_folder_without_a_lexical_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(IndexStoreError, match=r"meta\.json is missing"):
        LexicalSearch.open(tmp_path)
