"""The retrievers of the embedded index: hybrid, reduced, by words alone, and the one that finds nothing."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ha_rag.components.interfaces import Retriever
from ha_rag.components.retrievers import (
    LexicalRetriever,
    LocalRetriever,
    NoRetriever,
    PrimaryRetriever,
    ReducedRetriever,
    placement,
)
from ha_rag.components.script import Script
from ha_rag.errors import ComponentError, ConfigurationError, ServiceError
from ha_rag.index import Index
from ha_rag.index.schema import DATABASE
from ha_rag.messages import Embedding, Space
from ha_rag.threads import computing
from tests.index.places import OTHER, SPACE, found, put, unit

TEXTS = {
    "a": "A circuit opens when calls fail.",
    "b": "A probe closes the circuit again.",
    "c": "Zebras graze near the river.",
    "d": "Lions sleep all day.",
}
ZERO = Embedding(np.zeros(32, np.float32), None)
NOWHERE = Embedding(unit(1), Space("unknown", "1", 32))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Four documents of one passage, each with a vector made from its words."""
    with Index(tmp_path / "index") as opened:
        put(opened, TEXTS)
        yield opened


def _meaning(index: Index, document: str) -> Embedding:
    """The very vector of a document's passage."""
    column = index.snapshot.columns[SPACE]
    (row,) = [row for row, _ in index.snapshot.search_words(TEXTS[document], 1)]
    return Embedding(column.matrix[column.rows == row][0], SPACE)


async def _documents(retriever: Retriever, question: str, embedding: Embedding, top_k: int = 4) -> list[str]:
    return [passage.document for passage in await retriever.retrieve(question, embedding, top_k)]


async def test_what_words_and_meaning_agree_on_comes_first_with_score_one(index: Index) -> None:
    first, *others = await LocalRetriever(index).retrieve("zebras graze", _meaning(index, "c"), 4)
    assert (first.document, first.id) == ("c", "c#0")
    assert first.score == pytest.approx(1.0)
    assert all(passage.score < 1.0 for passage in others)


async def test_meaning_finds_what_no_word_of_the_question_names(index: Index) -> None:
    assert (await _documents(LocalRetriever(index), "savanna horses", _meaning(index, "c")))[0] == "c"


@pytest.mark.parametrize("embedding", [ZERO, NOWHERE, Embedding(unit(1), OTHER)], ids=["zero", "unknown", "other"])
async def test_a_vector_of_no_space_that_is_held_leaves_the_search_to_words(index: Index, embedding: Embedding) -> None:
    local, lexical = LocalRetriever(index), LexicalRetriever(index)
    assert await _documents(local, "zebras", embedding) == ["c"]
    assert await local.retrieve("a circuit", embedding, 3) == await lexical.retrieve("a circuit", embedding, 3)


async def test_another_space_s_column_is_never_searched_even_at_the_same_width(index: Index) -> None:
    put(index, {"e": "Owls hoot."}, space=OTHER)
    assert await _documents(LocalRetriever(index), "", Embedding(unit(1), OTHER)) == ["e"]


async def test_words_alone_find_nothing_where_no_word_occurs(index: Index) -> None:
    for retriever in (LexicalRetriever(index), LocalRetriever(index)):
        assert await retriever.retrieve("quantum chromodynamics", ZERO, 5) == []


@pytest.mark.parametrize("top_k", [-1, 0, 1, 2, 3, 100])
async def test_at_most_top_k_passages_come_back(index: Index, top_k: int) -> None:
    embedding = _meaning(index, "a")
    assert len(await LocalRetriever(index).retrieve("circuit", embedding, top_k)) == max(0, min(top_k, 4))
    assert len(await LexicalRetriever(index).retrieve("circuit", embedding, top_k)) == max(0, min(top_k, 2))


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (50, 2)])
async def test_the_reduced_one_gives_two_at_most(index: Index, top_k: int, expected: int) -> None:
    assert len(await ReducedRetriever(index).retrieve("circuit", _meaning(index, "a"), top_k)) == expected


async def test_the_reduced_one_gives_as_many_as_it_is_told(index: Index) -> None:
    assert len(await ReducedRetriever(index, max_docs=3).retrieve("circuit", _meaning(index, "a"), 10)) == 3
    with pytest.raises(ConfigurationError, match="max_docs = 0"):
        ReducedRetriever(index, max_docs=0)


async def test_the_last_resort_finds_nothing_and_never_fails() -> None:
    assert await NoRetriever().retrieve("anything", ZERO, 5) == []


@pytest.mark.parametrize("kind", [PrimaryRetriever, ReducedRetriever, LexicalRetriever])
async def test_each_fails_on_a_script_and_recovers(index: Index, kind: type[PrimaryRetriever]) -> None:
    retriever = kind(index, script=Script.failing(first=2))
    for _ in range(2):
        with pytest.raises(ServiceError):
            await retriever.retrieve("zebra", ZERO, 2)
    assert await _documents(retriever, "zebra", ZERO) == ["c"]


@pytest.mark.parametrize("question", ["", " ", "\x00\x01", "\ud800", '"zebra AND (', "zebra " * 50_000, "<b>zebra</b>"])
async def test_no_question_makes_a_search_fail(index: Index, question: str) -> None:
    documents = await _documents(LexicalRetriever(index), question, ZERO)
    assert documents == (["c"] if "zebra" in question else [])


async def test_a_passage_replaced_since_the_last_look_is_found_in_its_new_form(index: Index) -> None:
    put(index, {"c": "Zebras sleep too."}, refresh=False)
    (passage,) = await LexicalRetriever(index).retrieve("zebras", ZERO, 1)
    assert passage.text == "Zebras sleep too."


async def test_questions_are_answered_while_an_index_is_swapped(index: Index) -> None:
    stop = threading.Event()

    def write() -> None:
        n = 0
        while not stop.is_set():
            put(index, {"c": f"Zebras graze near river {n}."}, refresh=True)
            n += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(300):
            assert await _documents(LocalRetriever(index), "zebras river", ZERO) == ["c"]
    finally:
        stop.set()
        writer.join()


async def test_a_deleted_index_is_searched_as_it_was_loaded(index: Index) -> None:
    shutil.rmtree(index.folder)
    index.refresh()
    assert await _documents(LocalRetriever(index), "zebra", ZERO) == ["c"]


async def test_an_index_that_cannot_be_loaded_fails_as_a_component_does_and_recovers(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"rubbish" * 500)
    with Index(tmp_path) as index:
        for retriever in (LocalRetriever(index), LexicalRetriever(index), ReducedRetriever(index)):
            with pytest.raises(ComponentError, match="damaged"):
                await retriever.retrieve("zebra", ZERO, 2)
        (tmp_path / DATABASE).unlink()
        put(index, TEXTS)
        assert await _documents(LocalRetriever(index), "zebra", ZERO) == ["c"]


async def test_an_empty_index_gives_no_passages(tmp_path: Path) -> None:
    with Index(tmp_path / "nowhere") as index:
        assert await LocalRetriever(index).retrieve("zebra", ZERO, 5) == []


async def test_searches_that_take_long_run_beside_the_event_loop(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def by_words(*_: object) -> list[tuple[int, float]]:
        threads.append(threading.current_thread().name)
        return []

    monkeypatch.setattr("ha_rag.components.retrievers.local.by_words", by_words)
    monkeypatch.setattr(placement, "LONGEST_ON_LOOP_S", -1.0)
    retriever = LexicalRetriever(index)
    for _ in range(3):
        await retriever.retrieve("zebra", ZERO, 1)
    assert threading.current_thread().name not in threads


async def test_searches_of_a_small_index_run_on_the_event_loop_but_for_the_first(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def by_words(*_: object) -> list[tuple[int, float]]:
        threads.append(threading.current_thread().name)
        return []

    monkeypatch.setattr("ha_rag.components.retrievers.local.by_words", by_words)
    retriever = LexicalRetriever(index)
    for _ in range(3):
        await retriever.retrieve("zebra", ZERO, 1)
    first, *others = threads
    assert first.startswith(computing.name)
    assert others == [threading.current_thread().name] * 2


async def test_many_tasks_may_search_at_once(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "LONGEST_ON_LOOP_S", -1.0)
    retriever, embedding = LocalRetriever(index), _meaning(index, "c")
    results = await asyncio.gather(*(_documents(retriever, "zebras graze", embedding) for _ in range(50)))
    assert all(result[0] == "c" for result in results)
    assert found(index, "zebra") == ["c"]
