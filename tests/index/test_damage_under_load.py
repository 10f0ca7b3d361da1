"""Files of the index that are cut short, overwritten or deleted under a process that searches: it notices nothing.

The processes are real: a mapped file that is cut short would end them with SIGBUS.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ha_rag.index import Index, compaction
from tests.index.places import put
from tests.index.reader_process import TEXTS, ReaderProcess

FLIPS = 25
"""Flips in a run of `make test`; `make test-long` makes 100 in each of five."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An index with words of two segments, a graph, and newer vectors beside it."""
    monkeypatch.setattr(compaction, "EXACT_FLOATS", 32 * 20)
    names = list(TEXTS)
    with Index(tmp_path / "index") as index:
        for some in (names[:30], names[30:]):
            put(index, {name: TEXTS[name] for name in some})
    return tmp_path / "index"


@pytest.fixture
def reader(folder: Path) -> Iterator[ReaderProcess]:
    with ReaderProcess(folder) as process:
        yield process


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.endswith(".lock"))


def overwritten(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"\xa5" * file.stat().st_size)


def piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut to nothing": lambda file: file.open("r+b").truncate(0),
    "cut to half": lambda file: file.open("r+b").truncate(file.stat().st_size // 2),
    "overwritten": overwritten,
    "deleted": Path.unlink,
    "as large as a disk": lambda file: os.truncate(file, 1 << 40),
    "a pipe that nobody writes to": piped,
}


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_process_that_has_loaded_the_index_finds_everything_whatever_is_done_to_its_files(
    folder: Path, reader: ReaderProcess, damage: str
) -> None:
    for file in files(folder):
        DAMAGES[damage](file)
        found = reader.ask("running")
        assert (found.wrong, found.missing, found.error) == ([], [], "")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_process_that_starts_finds_everything_or_says_what_is_wrong(
    folder: Path, tmp_path: Path, reader: ReaderProcess, damage: str
) -> None:
    shutil.copytree(folder, tmp_path / "intact")
    for file in files(folder):
        DAMAGES[damage](file)
        found = reader.ask("fresh")
        assert found.wrong == []
        if found.missing or found.error:
            assert found.problem
        refused = ("index.sqlite3", "index.sqlite3-shm", "index.sqlite3-wal") if damage.startswith("a pipe") else ()
        if file.name not in ("index.sqlite3", *refused):
            assert (found.missing, found.error) == ([], "")  # the rest is made again from the database
        file.unlink(missing_ok=True)
        shutil.copytree(tmp_path / "intact", folder, dirs_exist_ok=True)
    assert reader.ask("fresh").problem == ""


def flip_bits(folder: Path, intact: Path, reader: ReaderProcess, flips: int, seed: int) -> dict[str, int]:
    """Flips one bit after another, at a random place of a random file; what came of it, counted."""
    dice, came_of_it = random.Random(seed), dict[str, int]()
    for number in range(flips):
        file = dice.choice([file for file in files(folder) if file.stat().st_size])
        at, bit = dice.randrange(file.stat().st_size), 1 << dice.randrange(8)
        where = f"flip {number} of seed {seed}: bit {bit} of byte {at} in {file.relative_to(folder)}"
        content = file.read_bytes()
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(bytes([content[at] ^ bit]))
        running, fresh = reader.ask("running"), reader.ask("fresh")
        assert (running.wrong, running.missing, running.error) == ([], [], ""), where
        assert fresh.wrong == [], where
        assert fresh.problem or not (fresh.missing or fresh.error), f"{where}: {fresh.missing} are missing, unnoticed"
        result = (
            "refused" if fresh.error else "degraded" if fresh.missing else "named" if fresh.problem else "unnoticed"
        )
        came_of_it[result] = came_of_it.get(result, 0) + 1
        for broken in files(folder):
            if not (intact / broken.relative_to(folder)).exists():
                broken.unlink()
        shutil.copytree(intact, folder, dirs_exist_ok=True)
    return came_of_it


def test_flipped_bits_make_no_answer_wrong_and_end_no_process(
    folder: Path, tmp_path: Path, reader: ReaderProcess
) -> None:
    shutil.copytree(folder, tmp_path / "intact")
    flip_bits(folder, tmp_path / "intact", reader, FLIPS, seed=15)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(5))
def test_flipped_bits_make_no_answer_wrong_and_end_no_process_in_many_runs(
    folder: Path, tmp_path: Path, reader: ReaderProcess, seed: int
) -> None:
    shutil.copytree(folder, tmp_path / "intact")
    print(f"seed {seed}:", flip_bits(folder, tmp_path / "intact", reader, 100, seed))
