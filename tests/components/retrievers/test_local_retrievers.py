"""The retrievers of the embedded index: hybrid, reduced and lexical."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ha_rag.components.retrievers import (
    LexicalRetriever,
    LocalRetriever,
    PrimaryRetriever,
    ReducedRetriever,
    placement,
)
from ha_rag.components.script import Script
from ha_rag.errors import ComponentError, ConfigurationError, ServiceError
from ha_rag.index import Index
from ha_rag.index.schema import DATABASE
from ha_rag.interfaces import Retriever
from ha_rag.messages import Embedding, Space
from ha_rag.threads import computing
from tests.index.places import OTHER, SPACE, TestEmbedder, found, put, unit
from tests.waiting import PATIENCE_S

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


async def test_a_passage_that_words_and_vectors_rank_first_has_score_one(index: Index) -> None:
    first, *others = await LocalRetriever(index).retrieve("zebras graze", _meaning(index, "c"), 4)
    assert (first.document, first.id) == ("c", "c#0")
    assert first.score == pytest.approx(1.0)
    assert all(passage.score < 1.0 for passage in others)


async def test_vectors_find_passages_that_share_no_word_with_the_question(index: Index) -> None:
    assert (await _documents(LocalRetriever(index), "savanna horses", _meaning(index, "c")))[0] == "c"


async def test_the_weight_of_the_embedding_decides_between_words_and_vectors(index: Index) -> None:
    meaning = _meaning(index, "c")
    for weight, expected in ((0.0, ["d"]), (0.2, ["d", "c"]), (0.8, ["c", "d"]), (1.0, ["c", "d"])):
        documents = await _documents(LocalRetriever(index), "lions", Embedding(meaning.vector, SPACE, weight))
        assert documents[: len(expected)] == expected
        assert len(documents) == (1 if weight == 0.0 else 4)


async def test_vectors_without_weight_are_searched_if_words_find_nothing(index: Index) -> None:
    meaning = _meaning(index, "c")
    (first,) = await LocalRetriever(index).retrieve("savanna horses", Embedding(meaning.vector, SPACE, 0.0), 1)
    assert first.document == "c"
    assert first.score == pytest.approx(1.0)


@pytest.mark.parametrize("embedding", [ZERO, NOWHERE, Embedding(unit(1), OTHER)], ids=["zero", "unknown", "other"])
async def test_a_vector_of_an_unknown_space_is_ignored_and_words_are_searched(
    index: Index, embedding: Embedding
) -> None:
    local, lexical = LocalRetriever(index), LexicalRetriever(index)
    assert await _documents(local, "zebras", embedding) == ["c"]
    assert await local.retrieve("a circuit", embedding, 3) == await lexical.retrieve("a circuit", embedding, 3)


async def test_another_space_is_never_searched_even_with_the_same_dimension(index: Index) -> None:
    put(index, {"e": "Owls hoot."}, space=OTHER)
    assert await _documents(LocalRetriever(index), "", Embedding(unit(1), OTHER)) == ["e"]


async def test_search_by_words_finds_nothing_if_no_word_occurs(index: Index) -> None:
    for retriever in (LexicalRetriever(index), LocalRetriever(index)):
        assert await retriever.retrieve("quantum chromodynamics", ZERO, 5) == []


@pytest.mark.parametrize("top_k", [-1, 0, 1, 2, 3, 100])
async def test_at_most_top_k_passages_are_returned(index: Index, top_k: int) -> None:
    embedding = _meaning(index, "a")
    assert len(await LocalRetriever(index).retrieve("circuit", embedding, top_k)) == max(0, min(top_k, 4))
    assert len(await LexicalRetriever(index).retrieve("circuit", embedding, top_k)) == max(0, min(top_k, 2))


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (50, 2)])
async def test_the_reduced_retriever_returns_two_passages_at_most(index: Index, top_k: int, expected: int) -> None:
    assert len(await ReducedRetriever(index).retrieve("circuit", _meaning(index, "a"), top_k)) == expected


async def test_the_reduced_retriever_returns_max_docs_passages_at_most(index: Index) -> None:
    assert len(await ReducedRetriever(index, max_docs=3).retrieve("circuit", _meaning(index, "a"), 10)) == 3
    with pytest.raises(ConfigurationError, match="max_docs = 0"):
        ReducedRetriever(index, max_docs=0)


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


async def test_a_passage_replaced_since_the_last_poll_is_found_in_its_old_version_and_soon_in_its_new_one(
    index: Index,
) -> None:
    put(index, {"c": "Zebras sleep too."}, refresh=False)
    retriever, texts = LexicalRetriever(index), list[str]()

    async def is_new() -> bool:
        (passage,) = await retriever.retrieve("zebras", ZERO, 1)
        texts.append(passage.text)
        return passage.text == "Zebras sleep too."

    async with asyncio.timeout(PATIENCE_S):
        while not await is_new():
            pass
    assert set(texts) <= {TEXTS["c"], "Zebras sleep too."}


async def test_searches_succeed_while_a_new_generation_is_loaded(index: Index) -> None:
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


async def test_the_loaded_generation_of_a_deleted_index_is_searched(index: Index) -> None:
    shutil.rmtree(index.folder)
    index.refresh()
    assert await _documents(LocalRetriever(index), "zebra", ZERO) == ["c"]


async def test_an_index_that_cannot_be_loaded_raises_component_errors_until_it_can(tmp_path: Path) -> None:
    (tmp_path / DATABASE).write_bytes(b"rubbish" * 500)
    with Index(tmp_path) as index:
        for retriever in (LocalRetriever(index), LexicalRetriever(index), ReducedRetriever(index)):
            with pytest.raises(ComponentError, match="damaged"):
                await retriever.retrieve("zebra", ZERO, 2)
        (tmp_path / DATABASE).unlink()
        put(index, TEXTS)
        assert await _documents(LocalRetriever(index), "zebra", ZERO) == ["c"]


async def test_an_empty_index_has_no_passages(tmp_path: Path) -> None:
    with Index(tmp_path / "nowhere") as index:
        assert await LocalRetriever(index).retrieve("zebra", ZERO, 5) == []


async def test_searches_that_take_long_run_beside_the_event_loop(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def search_lexical(*_: object, **__: object) -> list[tuple[int, float]]:
        threads.append(threading.current_thread().name)
        return []

    monkeypatch.setattr("ha_rag.components.retrievers.local.search_lexical", search_lexical)
    monkeypatch.setattr(placement, "LONGEST_ON_LOOP_S", -1.0)
    retriever = LexicalRetriever(index)
    for _ in range(3):
        await retriever.retrieve("zebra", ZERO, 1)
    assert threading.current_thread().name not in threads


async def test_searches_of_a_small_index_run_on_the_event_loop_but_for_the_first(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def search_lexical(*_: object, **__: object) -> list[tuple[int, float]]:
        threads.append(threading.current_thread().name)
        return []

    monkeypatch.setattr("ha_rag.components.retrievers.local.search_lexical", search_lexical)
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


@pytest.mark.parametrize(
    "question",
    [
        "circuit",
        "WHAT CLOSES A CIRCUIT AGAIN?",
        "whatclosesacircuitagain",
        "qwrtz plkjh mnbvc " * 20,
        ("circuit " * 1_000)[:8_000],
        "x" * 8_000,
        "断路器如何恢复",
        "?!",
        "7",
    ],
    ids=[
        "one word",
        "capitals",
        "no spaces",
        "gibberish",
        "8,000 characters",
        "one long word",
        "Chinese",
        "marks",
        "7",
    ],
)
async def test_any_question_finds_passages_without_an_error(index: Index, question: str) -> None:
    embedder = TestEmbedder()
    passages = await LocalRetriever(index).retrieve(question, await embedder.embed(question), 50)
    assert len(passages) <= len(TEXTS)
    assert len({passage.id for passage in passages}) == len(passages)
    assert all(0.0 <= passage.score <= 1.0 + 1e-9 for passage in passages)
