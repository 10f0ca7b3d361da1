"""Something else stands where a file of the index should: it is named at once, and nothing waits for it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from ha_rag.errors import IndexStoreError
from ha_rag.index import Index
from ha_rag.index.examining import examine_folder
from ha_rag.index.lock import LOCK
from ha_rag.index.schema import DATABASE
from tests.index.places import found, put

PATIENCE_S = 60.0


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        here = Path.cwd()
        os.chdir(path.parent)  # a socket's address is short
        try:
            bound.bind(path.name)
        finally:
            os.chdir(here)


KINDS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a socket": bind,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a symbolic link to nothing": lambda path: path.symlink_to("nowhere"),
    "a symbolic link to itself": lambda path: path.symlink_to(path.name),
}
OF_SQLITE = [DATABASE, f"{DATABASE}-wal", f"{DATABASE}-shm", f"{DATABASE}-journal"]


def replace(path: Path, kind: str) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    KINDS[kind](path)


def at_once(act: Callable[[], object]) -> BaseException | None:
    """What `act` raised; fails if it waits for something."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(PATIENCE_S)
    assert not thread.is_alive(), "it waits"
    return raised[0] if raised else None


def open_into(opened: list[Index], folder: Path) -> None:
    opened.append(Index(folder))


@pytest.fixture
def filled(index: Index) -> Index:
    put(index, {"a": "zebras graze", "b": "lions sleep"})
    return index


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_SQLITE)
def test_in_place_of_the_database_it_is_named_by_readers_and_writers(filled: Index, name: str, kind: str) -> None:
    replace(filled.folder / name, kind)
    opened: list[Index] = []
    assert at_once(partial(open_into, opened, filled.folder)) is None
    (reader,) = opened
    assert (reader.loaded, f"{name} is {kind}, not a file" in str(reader.problem)) == (False, True)
    raised = at_once(partial(put, filled, {"c": "owls hoot"}))
    assert isinstance(raised, IndexStoreError)
    assert f"{name} is {kind}, not a file" in str(raised)
    said: list[str] = []
    assert at_once(lambda: said.extend(examine_folder(filled.folder))) is None
    assert f"{name} is {kind}, not a file" in " ".join(said)
    filled.refresh()
    assert found(filled, "zebras") == ["a"], "what was loaded stays"


@pytest.mark.parametrize("kind", KINDS)
def test_in_place_of_the_writers_lock_it_is_named(filled: Index, kind: str) -> None:
    replace(filled.folder / LOCK, kind)
    raised = at_once(lambda: put(filled, {"c": "owls hoot"}))
    assert isinstance(raised, IndexStoreError)
    assert f"{LOCK} is {kind}, not a file" in str(raised)


def names_below(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((DATABASE, LOCK)))


@pytest.mark.parametrize("kind", KINDS)
def test_in_place_of_any_other_file_nothing_waits_and_every_document_is_found(
    filled: Index, tmp_path: Path, kind: str
) -> None:
    for file in names_below(filled.folder):
        here = tmp_path / "copy"
        shutil.copytree(filled.folder, here)
        replace(here / file.relative_to(filled.folder), kind)
        opened: list[Index] = []
        assert at_once(partial(open_into, opened, here)) is None
        assert found(opened[0], "zebras") == ["a"], file
        assert at_once(partial(examine_folder, here)) is None
        raised = at_once(partial(put, opened[0], {"c": "owls hoot"}))
        assert raised is None or isinstance(raised, IndexStoreError), (file, raised)
        assert found(opened[0], "zebras") == ["a"], file
        opened[0].close()
        shutil.rmtree(here)


@pytest.mark.parametrize("kind", ["a pipe", "a device", "a symbolic link to nothing"])
@pytest.mark.parametrize("command", ["ingest", "check"])
def test_the_commands_say_so_in_a_sentence(tmp_path: Path, command: str, kind: str) -> None:
    (tmp_path / ".ha_rag").mkdir()
    (tmp_path / "a.md").write_text("zebras graze")
    KINDS[kind](tmp_path / ".ha_rag" / DATABASE)
    arguments = [sys.executable, "-m", "ha_rag", command, *(["a.md"] if command == "ingest" else [])]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode != 0
    assert f"{DATABASE} is {kind}, not a file" in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
