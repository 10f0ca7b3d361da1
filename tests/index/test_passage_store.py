"""The passages of a reader: those that were found lately stay in memory, and are never older than the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.index import passage_store
from ha_rag.index.passage_store import PassageStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PassageStore]:
    store = PassageStore(tmp_path)
    store.add([(row, f"document {row}", 0, "", "", f"text {row}") for row in range(10)])
    yield store
    store.close()


def texts(store: PassageStore, *rows: int) -> list[str]:
    return [passage.text for _, passage in store.passages_of([(row, 1.0) for row in rows])]


def test_passages_come_in_the_order_in_which_they_were_asked_for(store: PassageStore) -> None:
    assert texts(store, 3, 1) == ["text 3", "text 1"]
    assert texts(store, 2, 1, 99, 3) == ["text 2", "text 1", "text 3"]


def test_a_score_is_that_of_the_hit(store: PassageStore) -> None:
    scores = [store.passages_of([(1, score)])[0][1].score for score in (0.5, 0.25)]
    assert scores == [0.5, 0.25]


def test_what_is_found_again_is_not_read_again(store: PassageStore) -> None:
    texts(store, 1, 2)
    read: list[str] = []
    store._database.set_trace_callback(read.append)
    assert texts(store, 2, 1) == ["text 2", "text 1"]
    assert read == []


def test_a_passage_that_is_replaced_is_not_found_as_it_was(store: PassageStore) -> None:
    texts(store, 1)
    store.add([(1, "document 1", 0, "", "", "another text")])
    assert texts(store, 1) == ["another text"]


def test_a_passage_that_is_removed_is_not_found(store: PassageStore) -> None:
    texts(store, 1, 2)
    store.remove([1])
    assert texts(store, 1, 2) == ["text 2"]


def test_the_latest_are_kept_and_no_more(store: PassageStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passage_store, "KEPT", 3)
    for row in range(5):
        texts(store, row, 0)
    assert sorted(store._kept) == [0, 3, 4]
