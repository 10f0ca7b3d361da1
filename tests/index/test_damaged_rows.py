"""Damaged rows of the database: each costs one passage or one vector, is named, and is mended by the next ingest."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from ha_rag.index import Index, IngestReport, ingest
from ha_rag.index.examining import examine_folder
from ha_rag.index.schema import DATABASE
from tests.index.places import SPACE, TestEmbedder, found, nearest, unit, write_files

FILES = {"a.txt": "zebras graze", "b.txt": "lions sleep", "c.txt": "owls hoot"}


async def _ingest(index: Index, docs: Path) -> IngestReport:
    return await ingest([docs], index, {"primary": TestEmbedder()})


@pytest.fixture
async def docs(index: Index, tmp_path: Path) -> Path:
    """A folder of three documents, which are in the index."""
    folder = write_files(tmp_path / "docs", FILES)
    assert (await _ingest(index, folder)).complete
    return folder


@pytest.fixture
def changed(index: Index) -> Iterator[sqlite3.Connection]:
    """The index's database, to damage it."""
    with closing(sqlite3.connect(index.folder / DATABASE, isolation_level=None)) as database:
        yield database


PASSAGE_DAMAGES = {
    "a flipped byte": "UPDATE passages SET text = 'zebras grave' WHERE document = 'a.txt'",
    "not UTF-8": "UPDATE passages SET text = CAST(x'7aff' AS TEXT) WHERE document = 'a.txt'",
    "bytes for a text": "UPDATE passages SET text = x'7a65' WHERE document = 'a.txt'",
    "a text for a number": "UPDATE passages SET number = 'first' WHERE document = 'a.txt'",
    "another number": "UPDATE passages SET number = 1 WHERE document = 'a.txt'",
    "another title": "UPDATE passages SET title = 'b' WHERE document = 'a.txt'",
    "a heading that is not UTF-8": "UPDATE passages SET heading = CAST(x'ff' AS TEXT) WHERE document = 'a.txt'",
}


@pytest.mark.parametrize("damage", PASSAGE_DAMAGES)
async def test_a_damaged_passage_is_left_out_and_named_and_all_others_are_found(
    index: Index, docs: Path, changed: sqlite3.Connection, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    changed.execute(PASSAGE_DAMAGES[damage])
    with Index(index.folder) as fresh:
        assert f"1 passage of the index at {index.folder} left out as damaged" in str(fresh.problem)
        assert "`ha-rag ingest` rebuilds" in str(fresh.problem)
        assert "a.txt" not in str(fresh.problem), "health is public"
        assert "a passage of 'a.txt'" in caplog.text
        assert sorted(found(fresh, "zebras lions owls")) == ["b.txt", "c.txt"]
        assert sorted(found(fresh, "zebras lions owls", limit=2)) == ["b.txt", "c.txt"]
        assert sorted(nearest(fresh, "zebras graze")) == ["b.txt", "c.txt"]
    assert "'a.txt'" in "; ".join(examine_folder(index.folder))


@pytest.mark.parametrize("damage", PASSAGE_DAMAGES)
async def test_an_ingest_reads_a_document_with_a_damaged_passage_again(
    index: Index, docs: Path, changed: sqlite3.Connection, damage: str
) -> None:
    changed.execute(PASSAGE_DAMAGES[damage])
    report = await _ingest(index, docs)
    assert (report.added, report.changed, report.unchanged, report.mended) == (0, 1, 2, 1)
    assert report.complete
    assert examine_folder(index.folder) == []
    assert index.problem is None
    assert found(index, "zebras") == ["a.txt"]


LOSSES = {
    "its passage is lost": "DELETE FROM passages WHERE document = 'a.txt'",
    "its passage has another document's name": "UPDATE passages SET document = 'x.txt' WHERE document = 'a.txt'",
    "its passage has a name that is not UTF-8": (
        "UPDATE passages SET document = CAST(x'ff' AS TEXT) WHERE document = 'a.txt'"
    ),
    "its row has another name": "UPDATE documents SET id = 'x.txt' WHERE id = 'a.txt'",
    "its row has a name that is not UTF-8": "UPDATE documents SET id = CAST(x'ff' AS TEXT) WHERE id = 'a.txt'",
    "its row has a source that is not UTF-8": "UPDATE documents SET source = CAST(x'ff' AS TEXT) WHERE id = 'a.txt'",
    "its row is lost": "DELETE FROM documents WHERE id = 'a.txt'",
    "its passage is in no known state": "UPDATE passages SET state = 9 WHERE document = 'a.txt'",
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_an_ingest_reads_a_document_again_when(
    index: Index, docs: Path, changed: sqlite3.Connection, loss: str
) -> None:
    changed.execute(LOSSES[loss])
    assert examine_folder(index.folder) != []
    report = await _ingest(index, docs)
    assert report.complete
    assert examine_folder(index.folder) == []
    assert len(found(index, "zebras")) == 1
    assert (index.passages, index.documents) == (3, 3)
    with Index(index.folder) as fresh:
        assert fresh.problem is None
        assert len(nearest(fresh, "zebras graze")) == 3


VECTOR_DAMAGES = {
    "too short": "zeroblob(4)",
    "too long": "zeroblob(400)",
    "a text": "'vector'",
    "a number": "7",
    "zeros": "zeroblob(128)",
    "flipped": "CAST(x'01' || substr(vector, 2) AS BLOB)",
}


@pytest.mark.parametrize("damage", VECTOR_DAMAGES)
async def test_a_damaged_vector_is_left_out_and_made_again_by_an_ingest(
    index: Index, docs: Path, changed: sqlite3.Connection, damage: str
) -> None:
    damaged = "SELECT row FROM passages WHERE document = 'a.txt'"
    changed.execute(f"UPDATE vectors SET vector = {VECTOR_DAMAGES[damage]} WHERE passage IN ({damaged})")
    with Index(index.folder) as fresh:
        assert "1 vector of test@1/32 left out as damaged; run `ha-rag ingest`" in str(fresh.problem)
        assert sorted(nearest(fresh, "zebras graze")) == ["b.txt", "c.txt"]
        assert found(fresh, "zebras") == ["a.txt"]
        report = await _ingest(fresh, docs)
        assert report.spaces[0].filled == 1
        assert fresh.problem is None
        assert nearest(fresh, "zebras graze")[0] == "a.txt"
    index.refresh()
    assert sorted(nearest(index, "zebras graze")) == ["a.txt", "b.txt", "c.txt"]


@pytest.mark.parametrize("wrong", [np.full(32, np.nan, np.float32), unit(1) * 3], ids=["nan", "not of unit length"])
async def test_a_vector_without_checksum_must_be_of_unit_length(
    index: Index, docs: Path, changed: sqlite3.Connection, wrong: np.ndarray
) -> None:
    changed.execute("UPDATE vectors SET checksum = NULL, vector = ? WHERE id = (SELECT min(id) FROM vectors)", (wrong,))
    with Index(index.folder) as fresh:
        assert len(nearest(fresh, "zebras graze")) == 2


@pytest.mark.parametrize(
    "value", ["model = CAST(x'ff' AS TEXT)", "dimension = 'wide'", "dimension = -1", "graph_last = 'x'"]
)
async def test_a_damaged_vector_space_costs_its_column_and_is_made_again(
    index: Index, docs: Path, changed: sqlite3.Connection, value: str
) -> None:
    changed.execute(f"UPDATE spaces SET {value}")
    with Index(index.folder) as fresh:
        assert fresh.spaces() == []
        assert "1 vector space" in str(fresh.problem)
        assert found(fresh, "zebras") == ["a.txt"]
    report = await _ingest(index, docs)
    assert report.complete
    assert index.spaces()[0].space == SPACE
    assert examine_folder(index.folder) == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE meta SET value = 'many' WHERE key = 'passages'",
        "UPDATE meta SET value = 'x' WHERE key = 'generation'",
        "UPDATE meta SET value = 99 WHERE key = 'passages'",
        "UPDATE meta SET value = '../..' WHERE key = 'lexical'",
        "DELETE FROM meta WHERE key = 'lexical'",
        "INSERT INTO gone VALUES (1, 'nothing')",
        "UPDATE passages SET row = row + 7 WHERE document = 'a.txt'",
    ],
)
async def test_no_value_in_the_database_ends_a_reader_and_each_wrong_one_is_named(
    index: Index, docs: Path, changed: sqlite3.Connection, change: str
) -> None:
    changed.execute(change)
    with Index(index.folder) as fresh:
        assert fresh.problem is not None or "gone" in change
        if fresh.loaded:
            assert "b.txt" in found(fresh, "lions")


async def test_a_damaged_document_whose_source_is_elsewhere_is_named_by_each_ingest_until_it_is_read_again(
    index: Index, docs: Path, changed: sqlite3.Connection, tmp_path: Path
) -> None:
    changed.execute(PASSAGE_DAMAGES["a flipped byte"])
    other = write_files(tmp_path / "other", {"d.txt": "whales dive"})
    for _ in range(2):
        report = await _ingest(index, other)
        assert (report.damaged, report.mended, report.complete) == (("a.txt",), 0, False)
        with Index(index.folder) as fresh:
            assert found(fresh, "zebras grave") == []
    assert (await _ingest(index, docs)).damaged == ()
    assert found(index, "zebras") == ["a.txt"]


async def test_an_ingest_of_a_sound_index_changes_nothing(index: Index, docs: Path) -> None:
    before = index.snapshot
    report = await _ingest(index, docs)
    assert (report.mended, report.damaged, report.unchanged) == (0, (), 3)
    assert index.snapshot is before
