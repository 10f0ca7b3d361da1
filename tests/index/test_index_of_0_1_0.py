"""An index that 0.1.0 wrote is served, and both versions read and write one index side by side during a rollout."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ha_rag.index import Index, compaction, ingest
from ha_rag.index.examining import examine_folder
from ha_rag.index.schema import DATABASE
from tests.index.places import SPACE, TestEmbedder, found, nearest, put, write_files
from tests.index.written_by_0_1_0 import WRITES
from tests.version_0_1_0 import Version010

READS = """
from ha_rag.components.embedders.hashing import hashed
from ha_rag.index import Index
from ha_rag.messages import Embedding, Space

folder, texts, space = given
space = Space(*space)
told = {}
with Index(folder) as index:
    for name, text in texts.items():
        rows = index.snapshot.search_words(text, 1)
        vector = hashed(text, space.dimension)
        near = index.column(Embedding(vector, space)).search(vector, 1)
        told[name] = [passage.document for passage in index.passages_of([*rows, *near])]
    told["problem"] = index.problem
print(json.dumps(told))
"""
TEXTS = {f"d{n}": f"alpha{n} beta{n * 7}" for n in range(30)}
PLACE = [SPACE.model, SPACE.revision, SPACE.dimension]


def _written(old: Version010, folder: Path, texts: dict[str, str], *, graphs: bool = False) -> None:
    old.run(WRITES, str(folder), texts, PLACE, graphs)


def _read_by_old(old: Version010, folder: Path, texts: dict[str, str]) -> dict[str, Any]:
    told: dict[str, Any] = old.run(READS, str(folder), texts, PLACE)
    return told


def _all_found(index: Index, texts: dict[str, str]) -> bool:
    return all(found(index, text)[0] == nearest(index, text)[0] == name for name, text in texts.items())


@pytest.mark.parametrize("graphs", [False, True], ids=["without a graph", "with a graph"])
def test_an_index_of_0_1_0_is_served_as_it_is(tmp_path: Path, version_0_1_0: Version010, graphs: bool) -> None:
    _written(version_0_1_0, tmp_path / "index", TEXTS, graphs=graphs)
    with Index(tmp_path / "index") as index:
        assert index.problem is None
        assert (index.snapshot.columns[SPACE].graph is not None) == graphs
        assert _all_found(index, TEXTS)
    assert examine_folder(tmp_path / "index") == []


async def test_the_first_ingest_gives_it_checksums_and_0_1_0_reads_and_writes_it_afterwards(
    tmp_path: Path, version_0_1_0: Version010, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "EXACT_FLOATS", 32 * 20)
    folder = tmp_path / "index"
    _written(version_0_1_0, folder, TEXTS, graphs=True)
    docs = write_files(tmp_path / "docs", {"new.txt": "giraffes browse"})
    with Index(folder) as index:
        await ingest([docs], index, {"primary": TestEmbedder()})
        with closing(sqlite3.connect(folder / DATABASE)) as database:
            for table in ("passages", "vectors"):
                assert database.execute(f"SELECT count(*) FROM {table} WHERE checksum IS NULL").fetchone() == (0,)
        assert index.problem is None
        assert _all_found(index, TEXTS)

        told = _read_by_old(version_0_1_0, folder, {**TEXTS, "new.txt": "giraffes browse"})
        assert told.pop("problem") is None
        assert all(documents == [name, name] for name, documents in told.items())

        changed = {**TEXTS, "d3": "whales dive", "d40": "owls hoot"}
        _written(version_0_1_0, folder, {"d3": "whales dive", "d40": "owls hoot"})
        index.refresh()
        assert index.problem is None
        assert _all_found(index, changed)
        put(index, {"d41": "lions sleep"})
        assert index.problem is None
        assert _all_found(index, {**changed, "d41": "lions sleep"})
    assert examine_folder(folder) == []
