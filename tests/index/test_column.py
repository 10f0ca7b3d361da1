"""A column of vectors: exact search while it is small, a graph when it is large."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ha_rag.cores import cores
from ha_rag.errors import IndexStoreError
from ha_rag.index.column import NO_ROWS, Column
from ha_rag.index.graph import Graph, expansion_search
from ha_rag.messages import Space

SPACE = Space("m", "", 16)


def _vectors(n: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _rows(*rows: int) -> np.ndarray:
    return np.array(rows, np.int64)


def test_the_nearest_come_first_with_their_cosine() -> None:
    vectors = _vectors(50)
    column = Column.empty(SPACE).with_changes(np.arange(50), vectors, NO_ROWS)
    hits = column.search(vectors[7], 5)
    assert hits[0][0] == 7
    assert hits[0][1] == pytest.approx(1.0, abs=1e-5)
    assert [row for row, _ in hits] == np.argsort(-(vectors @ vectors[7]))[:5].tolist()


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_a_search_returns_at_most_limit_results(limit: int) -> None:
    column = Column.empty(SPACE).with_changes(np.arange(3), _vectors(3), NO_ROWS)
    assert len(column.search(_vectors(1)[0], limit)) == min(limit, 3)


def test_an_empty_column_finds_nothing() -> None:
    assert Column.empty(SPACE).search(_vectors(1)[0], 5) == []


def test_a_change_removes_deleted_passages_even_if_it_added_them() -> None:
    vectors = _vectors(4)
    column = Column.empty(SPACE).with_changes(_rows(1, 2), vectors[:2], NO_ROWS)
    column = column.with_changes(_rows(3, 4), vectors[2:], _rows(1, 4))
    assert sorted(row for row, _ in column.search(vectors[0], 10)) == [2, 3]
    assert len(column) == 2


def _with_graph(tmp_path: Path, vectors: np.ndarray) -> Column:
    graph = Graph.empty(16)
    graph.add(np.arange(len(vectors)), vectors)
    graph.save(tmp_path / "graph")
    return Column.empty(SPACE, Graph.load(tmp_path / "graph", mapped=True))


def test_a_graph_and_newer_vectors_are_searched_together(tmp_path: Path) -> None:
    old, new = _vectors(200), _vectors(20, seed=1)
    column = _with_graph(tmp_path, old).with_changes(np.arange(200, 220), new, NO_ROWS)
    assert len(column) == 220
    assert column.search(old[3], 1)[0][0] == 3
    assert column.search(new[4], 1)[0][0] == 204
    scores = [score for _, score in column.search(new[4], 50)]
    assert scores == sorted(scores, reverse=True)


def test_deleted_passages_are_not_found_in_a_graph(tmp_path: Path) -> None:
    old = _vectors(200)
    column = _with_graph(tmp_path, old).with_changes(NO_ROWS, _vectors(0), np.arange(0, 50))
    column = column.with_changes(NO_ROWS, _vectors(0), _rows(60, 5000))
    hits = [row for row, _ in column.search(old[3], 100)]
    assert len(hits) == 100
    assert not set(hits) & {*range(50), 60}
    assert len(column) == 149


def test_an_unreadable_graph_raises_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "graph").write_bytes(b"no graph")
    with pytest.raises(IndexStoreError, match="cannot be read"):
        Graph.load(tmp_path / "graph", mapped=True)


SEARCHES = """
import time
import numpy as np
from ha_rag.index.column import Column
from ha_rag.messages import Space

column = Column(Space("m", "", 256), np.arange(20_000), np.ones((20_000, 256), np.float32))
began = time.process_time(), time.thread_time()
for _ in range(500):
    column.search(column.matrix[0], 10)
print(time.process_time() - began[0], time.thread_time() - began[1])
"""


@pytest.mark.skipif(cores() < 2, reason="on one core a library has no reason to start a thread")
def test_a_long_column_is_searched_in_the_thread_that_asks_and_in_no_other() -> None:
    done = subprocess.run([sys.executable, "-c", SEARCHES], capture_output=True, text=True, check=True)
    by_all_s, by_this_one_s = map(float, done.stdout.split())
    # Some milliseconds are the start of BLAS's own threads; did they take part, they would compute as much again.
    assert by_all_s - by_this_one_s < 0.5 * by_this_one_s


def test_a_graph_is_searched_and_built_with_the_threads_that_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[str, int]] = []
    graph = Graph.empty(16)
    real = graph._usearch

    class Counting:
        def add(self, keys: Any, vectors: Any, *, threads: int = 0) -> object:
            used.append(("add", threads))
            return real.add(keys, vectors, threads=threads)

        def search(self, vector: Any, limit: int, *, threads: int = 0) -> object:
            used.append(("search", threads))
            return real.search(vector, limit, threads=threads)

    monkeypatch.setattr(graph, "_usearch", Counting())
    graph.add(np.arange(10), _vectors(10))
    graph.add(np.arange(10, 20), _vectors(10), threads=3)
    graph.search(_vectors(1)[0], 2)
    assert used == [("add", 1), ("add", 3), ("search", 1)]


def test_a_search_among_many_vectors_keeps_more_candidates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert [expansion_search(vectors) for vectors in (0, 10_000, 100_000, 1_000_000)] == [128, 128, 316, 1_000]
    monkeypatch.setattr("ha_rag.index.graph.LEAST_EXPANSION_SEARCH", 1)
    few, many = (_graph(tmp_path, n) for n in (4, 400))
    assert (few._usearch.expansion_search, many._usearch.expansion_search) == (2, 20)


def _graph(folder: Path, vectors: int) -> Graph:
    graph = Graph.empty(16)
    graph.add(np.arange(vectors), _vectors(vectors))
    graph.save(folder / f"{vectors}")
    return Graph.load(folder / f"{vectors}", mapped=True)
