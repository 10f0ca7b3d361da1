"""An index that goes back: a restored backup is loaded anew, and no id of a row is used twice."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ha_rag.clock import ManualClock
from ha_rag.index import Index
from ha_rag.index.index import POLL_EVERY_S
from ha_rag.index.schema import DATABASE
from tests.index.places import found, nearest, put


def _backup(index: Index, to: Path) -> None:
    with closing(sqlite3.connect(index.folder / DATABASE)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def _restored_over(index: Index, backup: Path) -> None:
    """As `sqlite3.backup` and `cp` do it: the file stays the same one, its content goes back."""
    with closing(sqlite3.connect(backup)) as source, closing(sqlite3.connect(index.folder / DATABASE)) as target:
        source.backup(target)


def _restored_in_place(index: Index, backup: Path) -> None:
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
        (index.folder / name).unlink(missing_ok=True)
    shutil.copyfile(backup, index.folder / "restored")
    (index.folder / "restored").replace(index.folder / DATABASE)


def _rows(index: Index) -> set[int]:
    with closing(sqlite3.connect(index.folder / DATABASE)) as database:
        return {row for (row,) in database.execute("SELECT row FROM passages UNION ALL SELECT id FROM vectors")}


RESTORES = {"over the file": _restored_over, "by another file": _restored_in_place}


@pytest.mark.parametrize("how", RESTORES)
def test_a_restored_backup_is_noticed_and_searched_rightly(index: Index, tmp_path: Path, how: str) -> None:
    put(index, {"a": "zebra", "b": "lion"})
    _backup(index, tmp_path / "backup")
    put(index, {"b": "giraffe", "c": "owl"})
    assert sorted(nearest(index, "owl")) == ["a", "b", "c"]
    RESTORES[how](index, tmp_path / "backup")
    index.refresh()
    assert found(index, "lion") == ["b"]
    assert found(index, "owl giraffe") == []
    assert sorted(nearest(index, "owl")) == ["a", "b"]
    assert index.passages == 2


@pytest.mark.parametrize("how", RESTORES)
def test_a_backup_that_has_caught_up_with_the_generation_is_noticed_by_its_history(
    index: Index, tmp_path: Path, how: str
) -> None:
    put(index, {"a": "zebra"})
    _backup(index, tmp_path / "backup")
    put(index, {"b": "lion"})
    rows = _rows(index)
    generation = index.snapshot.generation
    RESTORES[how](index, tmp_path / "backup")
    put(index, {"c": "owl"}, refresh=False)
    index.refresh()
    assert index.snapshot.generation >= generation
    assert found(index, "lion") == []
    assert found(index, "owl") == ["c"]
    assert sorted(nearest(index, "lion")) == ["a", "c"]
    assert nearest(index, "owl")[0] == "c"
    with Index(index.folder) as other, closing(sqlite3.connect(tmp_path / "backup")) as backup:
        kept = {row for (row,) in backup.execute("SELECT row FROM passages UNION ALL SELECT id FROM vectors")}
        assert _rows(other) & rows == kept, "ids of the lost generation are used again"


def test_words_of_another_history_are_not_searched_and_the_next_writer_replaces_them(
    index: Index, tmp_path: Path
) -> None:
    put(index, {"a": "zebra", "b": "lion"})
    _backup(index, tmp_path / "backup")
    put(index, {"a": "giraffe"})  # as many passages as before
    _restored_over(index, tmp_path / "backup")
    with Index(index.folder) as fresh:
        assert "does not fit the database" in str(fresh.problem)
        assert found(fresh, "zebra") == ["a"]
        assert found(fresh, "giraffe") == []
        with fresh.writer():
            pass
        fresh.refresh()
        assert fresh.problem is None
        assert found(fresh, "zebra") == ["a"]


def test_a_restored_backup_is_picked_up_by_polling(index: Index, tmp_path: Path, clock: ManualClock) -> None:
    put(index, {"a": "zebra"})
    _backup(index, tmp_path / "backup")
    put(index, {"a": "lion"})
    _restored_over(index, tmp_path / "backup")
    clock.advance(POLL_EVERY_S)
    before = index.snapshot
    assert index.changed_since(before)
    assert found(index, "zebra") == ["a"]


def test_a_reader_that_misses_many_generations_still_loads_only_what_is_new(index: Index) -> None:
    put(index, {"a": "zebra"})
    store = index.snapshot.store
    for number in range(5):
        put(index, {f"b{number}": f"lion{number}"}, refresh=False)
    index.refresh()
    assert index.snapshot.store is store
    assert index.passages == 6


def test_other_files_of_an_index_without_its_database_are_not_an_empty_index(index: Index) -> None:
    put(index, {"a": "zebra"})
    (index.folder / DATABASE).unlink()
    with Index(index.folder) as fresh:
        assert not fresh.loaded
        assert f"{DATABASE} is missing" in str(fresh.problem)


@pytest.mark.parametrize("place", ["file/index", "loop/index", "x" * 300])
def test_a_folder_that_cannot_be_read_is_not_an_empty_index(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with Index(tmp_path / place) as index:
        assert not index.loaded
        assert "cannot be read: " in str(index.problem)
