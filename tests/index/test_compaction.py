"""Compaction: large columns get a graph, which is kept up to date and rebuilt when it is lost."""

from __future__ import annotations

import pytest

from ha_rag.index import Index, compaction, loading
from tests.index.places import SPACE, nearest, put


@pytest.fixture(autouse=True)
def _short_columns_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "EXACT_FLOATS", 32 * 20)
    monkeypatch.setattr(compaction, "GONE_AT_LEAST", 5)


def _texts(start: int, end: int) -> dict[str, str]:
    return {f"d{n}": f"alpha{n} beta{n * 7} gamma{n * 13}" for n in range(start, end)}


def _graphs(index: Index) -> list[str]:
    return sorted(path.name for path in index.folder.glob("graph-*"))


def test_a_large_column_gets_a_graph_and_finds_the_same_passages(index: Index) -> None:
    put(index, _texts(0, 20))
    assert _graphs(index) == []
    put(index, _texts(20, 41))
    assert len(_graphs(index)) == 1
    assert index.snapshot.columns[SPACE].graph is not None
    for name, text in _texts(0, 41).items():
        assert nearest(index, text)[0] == name


def test_new_vectors_stay_outside_the_graph_until_there_are_many(index: Index) -> None:
    put(index, _texts(0, 30))
    first = _graphs(index)
    put(index, _texts(30, 40))
    assert _graphs(index) == first
    assert nearest(index, _texts(35, 36)["d35"])[0] == "d35"
    put(index, _texts(40, 60))
    assert len(_graphs(index)) == 1
    assert _graphs(index) != first
    assert nearest(index, _texts(3, 4)["d3"])[0] == "d3"


def test_a_new_reader_maps_the_graph_and_knows_which_passages_were_deleted(index: Index) -> None:
    put(index, _texts(0, 30))
    with index.writer() as writer:
        writer.delete("d3")
        writer.commit()
    with Index(index.folder) as fresh:
        assert fresh.spaces()[0].vectors == 29
        assert "d3" not in nearest(fresh, _texts(3, 4)["d3"], limit=29)


def test_a_graph_with_many_deleted_passages_is_rebuilt(index: Index) -> None:
    put(index, _texts(0, 60))
    with index.writer() as writer:
        for n in range(10):
            writer.delete(f"d{n}")
        writer.commit()
    index.refresh()
    graph = index.snapshot.columns[SPACE].graph
    assert graph is not None
    assert len(graph) == 50
    assert nearest(index, _texts(33, 34)["d33"])[0] == "d33"


@pytest.mark.parametrize("damage", ["cut short", "flipped", "zeroed", "deleted"])
def test_a_column_whose_graph_is_damaged_is_searched_without_it_until_the_next_writer_rebuilds_it(
    index: Index, damage: str
) -> None:
    put(index, _texts(0, 30))
    (path,) = index.folder.glob("graph-*")
    intact = path.read_bytes()
    wrong = {"cut short": b"x", "flipped": intact[:-9] + b"\xff" + intact[-8:], "zeroed": bytes(len(intact))}
    path.unlink()
    if damage in wrong:
        path.write_bytes(wrong[damage])
    with Index(index.folder) as fresh:
        assert "graph" in str(fresh.problem)
        assert "ha-rag ingest" in str(fresh.problem)
        assert fresh.snapshot.columns[SPACE].graph is None
        assert {nearest(fresh, text)[0] == name for name, text in _texts(0, 30).items()} == {True}
        with fresh.writer():
            pass
        fresh.refresh()
        assert fresh.problem is None
        assert fresh.snapshot.columns[SPACE].graph is not None
        assert nearest(fresh, _texts(3, 4)["d3"])[0] == "d3"


def test_a_column_without_its_graph_that_is_too_large_to_compare_is_not_searched(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(index, _texts(0, 30))
    (path,) = index.folder.glob("graph-*")
    path.write_bytes(b"cut short")
    monkeypatch.setattr(loading, "FLOATS_WITHOUT_GRAPH", 29 * 32)
    with Index(index.folder) as fresh:
        assert fresh.spaces() == []
        assert "not searched until" in str(fresh.problem)
        assert fresh.snapshot.search_words("alpha3", 1)


def test_a_lost_graph_is_dropped_when_the_column_is_small_enough_to_scan(index: Index) -> None:
    put(index, _texts(0, 30))
    with index.writer() as writer:
        for n in range(20):
            writer.delete(f"d{n}")
        writer.commit()
    index.refresh()
    assert _graphs(index) == []
    assert index.snapshot.columns[SPACE].graph is None
    assert nearest(index, _texts(25, 26)["d25"])[0] == "d25"
    assert index.spaces()[0].vectors == 10
