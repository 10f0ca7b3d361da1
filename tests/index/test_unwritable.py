"""A process without write access: it searches, sees what others write, and reports that it cannot write."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ha_rag.errors import IndexReadOnlyError, IndexStoreError
from ha_rag.index import Index, IndexWriter
from tests.index.places import put
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parents[2]
READING = """
import os, sys
from pathlib import Path
import numpy.ma  # numpy imports it at first use, which may be after this user lost access to where numpy is installed
from ha_rag.errors import IndexReadOnlyError
from ha_rag.index import Index
if os.getuid() == 0:  # root may write everywhere
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
index = Index(sys.argv[1])

def tell():
    hits = index.snapshot.search_words("zebra lion", 9)
    print(",".join(sorted(p.document for p in index.passages_of(hits))), index.problem, flush=True)

try:
    with index.writer(): print("could write")
except IndexReadOnlyError as error:
    print("refused:", error)
tell()
for _ in sys.stdin:
    if index._is_behind():
        index.refresh()
    tell()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """An index where everybody may read; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory(prefix="ha_rag-test-") as place:
        Path(place).chmod(0o755)
        with Index(Path(place) / "index") as index:
            put(index, {"a": "zebra"})
        yield Path(place) / "index"
        _open_to_owner(Path(place))


def _close_to_others(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def _open_to_owner(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_reader_without_write_access_sees_updates_and_cannot_write(folder: Path) -> None:
    _close_to_others(folder)
    command = [sys.executable, "-c", READING, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        assert "as a user with write access" in reader.stdout.readline()
        assert reader.stdout.readline() == "a None\n"
        _open_to_owner(folder)
        with Index(folder) as index:
            put(index, {"b": "lion"})
        _close_to_others(folder)
        reader.stdin.write("look\n")
        reader.stdin.close()
        assert reader.stdout.readline() == "a,b None\n"
        assert reader.wait(PATIENCE_S) == 0


def test_a_path_that_is_not_a_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexStoreError, match="cannot write an index"), IndexWriter(tmp_path / "file"):
        pass


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(30, "Read-only file system")])
def test_a_folder_that_cannot_be_written_raises_index_read_only_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def refuse(*_: object) -> int:
        raise error

    monkeypatch.setattr("ha_rag.index.lock.os.open", refuse)
    with pytest.raises(IndexReadOnlyError, match=str(tmp_path)), IndexWriter(tmp_path):
        pass


FORGETTING = """
import os, sys
from pathlib import Path
from ha_rag.errors import IndexReadOnlyError
from ha_rag.index.listed import DocumentFilter
from ha_rag.index.listing import DocumentList
from ha_rag.index.removal import remove_documents
if os.getuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
folder = Path(sys.argv[1])
try:
    remove_documents(folder, ["a"])
except IndexReadOnlyError as error:
    print("refused:", error)
print([listed.id for listed in DocumentList(folder).page(DocumentFilter(), 10).documents])
"""


def test_documents_are_listed_there_and_none_is_forgotten(folder: Path) -> None:
    _close_to_others(folder)

    done = subprocess.run(
        [sys.executable, "-c", FORGETTING, str(folder)], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == (
        f"refused: the index at {folder} is not writable for this process; run `ha-rag ingest` on a machine and as a "
        "user with write access\n['a']\n"
    )
