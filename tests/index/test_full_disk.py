"""A disk that fills up at any moment: the error says so, and nothing that was indexed is lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.errors import IndexDiskFullError
from ha_rag.index import Index, compaction, ingest
from tests.full_disk import SmallDisk, small_disk
from tests.index.places import TestEmbedder, found, nearest, put, write_files

LEFT_KB = (0, 4, 12, 32, 64, 96, 128, 192, 256, 320, 384, 512, 768)
"""Space at the start of a change, so that it ends in another step each time."""
OLD = {f"old-{n}": f"zebra {n} " + "savanna " * 200 for n in range(5)}
NEW = {f"new-{n}": f"lion {n} " + "grassland " * 400 for n in range(40)}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


def refused(disk: SmallDisk, index: Index, texts: dict[str, str]) -> IndexDiskFullError | None:
    """The error if a change was refused for want of space; nothing else may refuse it. Its traceback holds files."""
    kept: IndexDiskFullError | None = None
    try:
        put(index, texts)
    except IndexDiskFullError as error:
        kept = error
    assert kept is None or f"no space left on device for {disk.path}" in str(kept)
    assert kept is None or "free space" in str(kept)
    return kept


@pytest.mark.parametrize("left_kb", LEFT_KB)
def test_a_change_that_does_not_fit_is_refused_and_made_once_there_is_space(disk: SmallDisk, left_kb: int):
    with Index(disk.path / "index") as index:
        put(index, OLD)
        disk.fill(but_kb=left_kb)
        outcomes = [refused(disk, index, NEW) for _ in range(3)]
        assert len(found(index, "savanna")) == len(OLD), "what was there is still found"
        with Index(disk.path / "index") as other:
            other.refresh()
            assert len(found(other, "savanna")) == len(OLD), "also by a process that starts now"
            assert other.problem is None
        disk.free()
        put(index, NEW)
        assert len(found(index, "grassland", 99)) == len(NEW)
        assert len(found(index, "savanna", 99)) == len(OLD)
        assert nearest(index, NEW["new-7"])[0].startswith("new-")
    assert outcomes[0] or left_kb >= 384, "the space was too small"


@pytest.mark.parametrize("left_kb", LEFT_KB)
def test_an_index_that_does_not_fit_is_begun_once_there_is_space(disk: SmallDisk, left_kb: int):
    disk.fill(but_kb=left_kb)
    with Index(disk.path / "index") as index:
        refused(disk, index, NEW)
        refused(disk, index, NEW)
        disk.free()
        put(index, NEW)
        assert len(found(index, "grassland", 99)) == len(NEW)


@pytest.mark.parametrize("left_kb", LEFT_KB)
def test_a_graph_that_does_not_fit_is_built_once_there_is_space(
    disk: SmallDisk, left_kb: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compaction, "EXACT_FLOATS", 64)
    with Index(disk.path / "index") as index:
        put(index, OLD)
        disk.fill(but_kb=left_kb)
        refused(disk, index, NEW)
        refused(disk, index, NEW)
        disk.free()
        put(index, NEW)
        assert nearest(index, NEW["new-7"])[0].startswith("new-")
        assert nearest(index, OLD["old-3"])[0].startswith("old-")
        assert not list((disk.path / "index").glob("*.new"))


def test_a_disk_without_inodes_is_as_full(tmp_path: Path):
    with small_disk(tmp_path / "disk", inodes=80) as disk, Index(disk.path / "index") as index:
        put(index, OLD)
        fillers = [disk.path / f"file-{n}" for n in range(80)]
        for path in fillers:
            try:
                path.touch()
            except OSError:
                break
        assert refused(disk, index, NEW)
        for path in fillers:
            path.unlink(missing_ok=True)
        put(index, NEW)
        assert len(found(index, "grassland", 99)) == len(NEW)


async def test_an_ingest_that_fills_the_disk_keeps_its_batches_and_is_continued(disk: SmallDisk, tmp_path: Path):
    docs = write_files(tmp_path / "docs", {f"{n}.md": f"lion {n} " + f"grassland {n} " * 300 for n in range(300)})
    disk.fill(but_kb=3000)
    with Index(disk.path / "index") as index:
        with pytest.raises(IndexDiskFullError, match="no space left on device"):
            await ingest([docs], index, {"a": TestEmbedder()})
        index.refresh()
        kept = index.documents
        assert kept > 0, "the batches that fitted"
        disk.free()
        report = await ingest([docs], index, {"a": TestEmbedder()})
        assert report.unchanged >= kept
        assert index.documents == 300
