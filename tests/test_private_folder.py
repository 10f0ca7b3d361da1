"""The index folder and what is in it belong to one user, unless that user has opened the folder to others."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from ha_rag.index.lock import LOCK, WriterLock
from ha_rag.private_folder import keep_files_private, make_private_folder, private_mode
from tests.local_pipeline import LOCAL_PIPELINE


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_folder_is_private_and_an_old_one_keeps_its_mode(tmp_path: Path):
    old, new = tmp_path / "old", tmp_path / "deep" / "new"
    old.mkdir(mode=0o755)
    for folder in (old, new):
        make_private_folder(folder)
    assert (mode(old), mode(new)) == (0o755, 0o700)


@pytest.mark.parametrize(
    ("of_folder", "of_files", "of_folders"),
    [(None, 0o600, 0o700), (0o700, 0o600, 0o700), (0o750, 0o640, 0o750), (0o770, 0o660, 0o770), (0o755, 0o644, 0o755)],
)
def test_files_are_as_open_as_their_folder(tmp_path: Path, of_folder: int | None, of_files: int, of_folders: int):
    folder = tmp_path / "index"
    if of_folder is not None:
        folder.mkdir()
        folder.chmod(of_folder)
    assert private_mode(folder) == of_files
    keep_files_private(folder)
    make_private_folder(folder)
    (folder / "file").write_text("")
    (folder / "sub").mkdir()
    assert (mode(folder / "file"), mode(folder / "sub")) == (of_files, of_folders)


def test_a_program_that_uses_the_index_makes_its_folder_private_too(tmp_path: Path):
    with WriterLock(tmp_path / "index"):
        pass
    assert (mode(tmp_path / "index"), mode(tmp_path / "index" / LOCK)) == (0o700, 0o600)


def test_all_that_an_ingest_writes_is_private(tmp_path: Path):
    (tmp_path / "bees.md").write_text("Bees hum.")
    (tmp_path / "ha_rag.toml").write_text(LOCAL_PIPELINE.format(index="data/.ha_rag"))
    command = [sys.executable, "-m", "ha_rag", "ingest", "bees.md", "--config", "ha_rag.toml"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "data" / ".ha_rag"
    made = [folder, *folder.rglob("*")]
    assert len(made) > 3
    assert {mode(path) for path in made if path.is_dir()} == {0o700}
    assert {mode(path) for path in made if path.is_file()} == {0o600}
