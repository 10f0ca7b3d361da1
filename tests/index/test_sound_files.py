"""Files that have been checked are checked again after any change to them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ha_rag.errors import IndexStoreError
from ha_rag.index.lexical import write_lexical
from ha_rag.index.sound_files import FEW, SoundFiles
from ha_rag.index.words_files import check_files, passages_in
from tests.index.places import texts_of

LATER_NS = 10_000_000_000


class Counting:
    def __init__(self) -> None:
        self.checked: list[Path] = []

    def __call__(self, file: Path) -> None:
        self.checked.append(file)


def later_ns() -> int:
    """A time at which every change is long past."""
    return time.time_ns() + LATER_NS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "file").write_bytes(b"content")
    return tmp_path / "file"


def test_an_unchanged_file_is_checked_once(file: Path) -> None:
    sound, counting = SoundFiles(later_ns), Counting()
    for _ in range(3):
        sound.check(file, counting)
    assert counting.checked == [file]


def test_a_file_that_changed_just_before_its_check_is_checked_again(file: Path) -> None:
    sound, counting = SoundFiles(), Counting()
    for _ in range(2):
        sound.check(file, counting)
    assert len(counting.checked) == 2


def test_a_change_is_noticed_even_if_the_time_stamp_is_set_back(file: Path) -> None:
    sound, counting, before = SoundFiles(later_ns), Counting(), file.stat()
    sound.check(file, counting)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 5))
    with file.open("r+b") as opened:
        opened.write(b"CONTENT")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    sound.check(file, counting)
    assert len(counting.checked) == 2


def test_a_damaged_file_is_checked_every_time(file: Path) -> None:
    def damaged(file: Path) -> None:
        raise IndexStoreError(f"{file} is damaged")

    sound = SoundFiles(later_ns)
    for _ in range(2):
        with pytest.raises(IndexStoreError, match="is damaged"):
            sound.check(file, damaged)


def test_files_that_are_gone_are_forgotten_however_many_there_were(tmp_path: Path) -> None:
    sound, kept = SoundFiles(later_ns), [tmp_path / f"kept-{number}" for number in range(3)]
    for path in kept:
        path.touch()
        sound.check(path, Counting())
    for number in range(5 * FEW):
        passing = tmp_path / str(number)
        passing.touch()
        sound.check(passing, Counting())
        passing.unlink()
    assert len(sound) <= FEW
    counting = Counting()
    for path in kept:
        sound.check(path, counting)
    assert counting.checked == [], "those that are there are not checked again"


def test_files_that_are_there_are_all_remembered(tmp_path: Path) -> None:
    sound, files = SoundFiles(later_ns), [tmp_path / str(number) for number in range(2 * FEW)]
    for path in files:
        path.touch()
        sound.check(path, Counting())
    assert len(sound) == len(files)


def _words(folder: Path) -> Path:
    write_lexical(folder, (), texts_of({1: "zebra", 2: "lion"}))
    write_lexical(folder, [1], texts_of({3: "owl"}))
    return folder


def test_a_whole_lexical_index_passes_and_its_passages_are_counted(tmp_path: Path) -> None:
    check_files(_words(tmp_path))
    assert passages_in(tmp_path) == 2


@pytest.mark.parametrize(
    "part", ["term", "idx", "pos", "fieldnorm", "fast", "store", "del", "meta.json", ".managed.json"]
)
@pytest.mark.parametrize("damage", ["flipped", "cut", "deleted"])
def test_damage_to_any_file_of_a_lexical_index_is_found(tmp_path: Path, part: str, damage: str) -> None:
    _words(tmp_path)
    name = part if "." in part else f"*.{part}"
    for file in tmp_path.glob(name):
        content = file.read_bytes()
        if damage == "deleted":
            file.unlink()
        else:
            file.write_bytes(content[: len(content) // 2] if damage == "cut" else b"\xff" + content[1:])
    if (part, damage) == (".managed.json", "deleted"):
        check_files(tmp_path)  # tantivy makes another one
        return
    with pytest.raises(IndexStoreError, match=r"damaged|cannot be used"):
        check_files(tmp_path)
