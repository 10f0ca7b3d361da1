"""Private copies: on a disk that has room for them, out of reach, and gone with what used them."""

from __future__ import annotations

import contextlib
import errno
import gc
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ha_rag.errors import IndexStoreError
from ha_rag.index import Index
from ha_rag.index.passage_store import PassageStore
from ha_rag.index.private_copy import PrivateFile, passing_folder, scratch_folder
from tests.index.places import found, put


def open_files(below: Path) -> int:
    """How many files below a folder this process has open, deleted ones too. Earlier tests may close theirs late."""
    return sum(str(below) in opened for opened in _opened())


def _opened() -> Iterator[str]:
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            yield str(descriptor.readlink())


def test_a_copy_keeps_its_content_whatever_happens_to_the_original(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    copy = PrivateFile(tmp_path / "file", tmp_path)
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "file").unlink()
    assert copy.path.read_bytes() == b"content"
    assert list(tmp_path.iterdir()) == []


def test_an_index_leaves_no_file_behind_and_closes_what_it_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    with Index(tmp_path / "index") as index:
        put(index, {"a": "zebra"})
        assert open_files(tmp_path) > 0
    del index
    gc.collect()
    before = open_files(tmp_path)
    for number in range(3):
        with Index(tmp_path / "index") as index:
            assert found(index, "zebra") == ["a"]
            put(index, {f"b{number}": "lion"})
            assert list((tmp_path / "scratch").iterdir()) == []
    del index
    gc.collect()
    assert open_files(tmp_path) == before


def test_a_folder_that_gets_a_file_while_it_is_deleted_is_deleted_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rmtree, deletions = shutil.rmtree, 0

    def disturbed(folder: Path, **options: Any) -> None:
        nonlocal deletions
        deletions += 1
        rmtree(folder, **options)
        if deletions == 1:
            folder.mkdir()
            (folder / ".tantivy-meta.lock").touch()

    monkeypatch.setattr(shutil, "rmtree", disturbed)
    with passing_folder(tmp_path) as folder:
        (folder / "meta.json").touch()
    assert list(tmp_path.iterdir()) == []
    assert deletions == 2


def test_many_generations_need_no_more_files(tmp_path: Path) -> None:
    with Index(tmp_path / "index") as index:
        for number in range(30):
            put(index, {"a": f"zebra{number}"})
            gc.collect()
            if number == 10:
                before = open_files(tmp_path)
        assert open_files(tmp_path) <= before + 20  # tantivy merges segments now and then


@pytest.mark.parametrize(("free", "chosen"), [((9, 1), 0), ((1, 9), 1), ((2, 3), 1), ((4, 3), 0)])
def test_copies_go_where_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: tuple[int, int], chosen: int
) -> None:
    places = [tmp_path / "temporary", tmp_path / "index"]
    for place in places:
        place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(places[0]))

    class Usage:
        def __init__(self, place: Path) -> None:
            self.free = free[places.index(place)]

    monkeypatch.setattr(shutil, "disk_usage", Usage)
    assert scratch_folder(places[1], 5) == places[chosen]


def test_a_full_disk_is_named_with_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"content")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(IndexStoreError, match=f"no space left in {tmp_path} .* or set TMPDIR"):
        PrivateFile(tmp_path / "file", tmp_path)


def test_a_store_whose_disk_is_full_says_so(tmp_path: Path) -> None:
    store = PassageStore(tmp_path)
    store._database.execute("PRAGMA max_page_count = 3")
    with pytest.raises(IndexStoreError, match="no space left"):
        store.add([(1, "a", 0, "", "", "zebra " * 10_000)])
    assert len(store) == 0
    store.close()
    assert store.passages_of([(1, 1.0)]) == []
