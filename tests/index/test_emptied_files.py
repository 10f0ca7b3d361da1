"""A file that was looked at is answered from as it is now, or not at all; trouble of the machine takes out nothing."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index import Index, IngestReport, ReadingLimits, ingest
from ha_rag.index.reading import files, sandbox
from ha_rag.index.reading.walking import FoundFile
from tests.index.pdfs import pdf
from tests.index.places import found, write_files

FILES: dict[str, str | bytes] = {
    "notes.md": "Zebras graze.",
    "paper.pdf": pdf("Whales dive"),
    "log": "Owls hoot.",
    "keep.txt": "Newts swim.",
}
NOW: dict[str, tuple[str, bytes, str]] = {
    "emptied": ("notes.md", b"", "contains no text"),
    "emptied, of a kind that only its text tells": ("log", b"", "its file is now of a kind that is not read (empty"),
    "nothing but spaces": ("notes.md", b" \n\n", "contains no text"),
    "bytes that are no text, of a known kind": ("notes.md", bytes(range(256)) * 9, "binary"),
    "bytes that are no text, of an unknown kind": ("log", bytes(range(256)) * 9, "its file is now of a kind that"),
    "damaged": ("paper.pdf", b"no PDF", "not a PDF"),
    "too large": ("notes.md", b"x" * 9000, "the limit is 5,000"),
}


async def _ingest(index: Index, folder: Path) -> IngestReport:
    return await ingest([folder], index, {}, limits=ReadingLimits(file_bytes=5000))


def words(index: Index) -> set[str]:
    return {word for word in ("zebras", "whales", "owls", "newts") if found(index, word)}


@pytest.fixture
async def folder(index: Index, tmp_path: Path) -> Path:
    docs = write_files(tmp_path / "docs", FILES)
    await _ingest(index, docs)
    assert len(words(index)) == 4
    return docs


@pytest.mark.parametrize("how", NOW)
async def test_nothing_is_answered_from_a_file_that_holds_nothing_readable_any_more(
    index: Index, folder: Path, how: str
) -> None:
    name, content, why = NOW[how]
    (folder / name).write_bytes(content)
    report = await _ingest(index, folder)
    assert [(one.document, why in one.why, one.gone) for one in report.taken_out] == [(name, True, False)]
    assert (report.removed, report.unchanged) == (0, 3)
    assert len(words(index)) == 3
    write_files(folder, {name: FILES[name]})
    assert (await _ingest(index, folder)).added == 1
    assert len(words(index)) == 4


@pytest.mark.parametrize(
    ("number", "out"),
    [(errno.EACCES, True), (errno.EPERM, True), (errno.EIO, False), (errno.EMFILE, False), (errno.ESTALE, False)],
    ids=["no permission", "not permitted", "I/O error", "too many open files", "stale file handle"],
)
async def test_a_file_without_permission_is_taken_out_and_one_that_the_machine_cannot_read_stays(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch, number: int, out: bool
) -> None:
    opened = files._bytes_of

    def bytes_of(found_file: FoundFile, limits: ReadingLimits) -> bytes:
        if found_file.name == "notes.md":
            raise OSError(number, os.strerror(number))
        return opened(found_file, limits)

    monkeypatch.setattr(files, "_bytes_of", bytes_of)
    report = await _ingest(index, folder)
    assert [one.document for one in report.unreadable] == ["notes.md"]
    assert [one.document for one in report.taken_out] == (["notes.md"] if out else [])
    assert [one.documents for one in report.kept] == ([] if out else [("notes.md",)])
    assert ("zebras" in words(index)) is not out


@pytest.mark.parametrize("transient", [False, True], ids=["the file's fault", "the machine's"])
async def test_a_file_that_ends_its_reader_is_taken_out_only_if_it_is_to_blame(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch, transient: bool
) -> None:
    def read(form: str, file: object) -> None:
        raise UnreadableDocumentError("paper.pdf", "the process that was reading it ended", transient=transient)

    write_files(folder, {"paper.pdf": pdf("Dolphins dive")})
    for name in ("notes.md", "log", "keep.txt"):
        (folder / name).unlink()
    monkeypatch.setattr(sandbox.shared, "read", read)
    report = await _ingest(index, folder)
    assert [one.document for one in report.taken_out] == ([] if transient else ["paper.pdf"])
    assert ("whales" in words(index)) is transient


async def test_lines_that_a_file_no_longer_holds_are_taken_out(index: Index, tmp_path: Path) -> None:
    lines = ['{"_id": "1", "text": "zebras"}', '{"_id": "2", "text": "owls"}', '{"_id": "3", "text": "newts"}']
    docs = write_files(tmp_path / "docs", {"x.jsonl": "\n".join(lines)})
    await _ingest(index, docs)
    write_files(docs, {"x.jsonl": "\n".join([lines[0], '{"_id": "2", "text": ""}', "{broken"])})
    report = await _ingest(index, docs)
    assert [one.document for one in report.taken_out] == ["2", "3"]
    assert words(index) == {"zebras"}


async def test_one_bad_page_or_a_renamed_title_takes_out_nothing(index: Index, folder: Path) -> None:
    write_files(folder, {"notes.md": "# New\n\nZebras graze."})
    assert (await _ingest(index, folder)).taken_out == ()


AS_NOBODY = """
import asyncio, json, os, sys
from ha_rag.index import Index, ingest

def run(index):
    report = asyncio.run(ingest([sys.argv[2]], Index(index), {}, mirror=True))
    return {"out": [one.document for one in report.taken_out], "kept": [list(one.documents) for one in report.kept]}

run(sys.argv[1] + "-unused")  # imports everything and starts the reading process, while everything may be read
os.seteuid(65534)
print(json.dumps(run(sys.argv[1])))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_real_permissions_take_out_a_file_and_keep_what_is_in_a_closed_folder() -> None:
    with tempfile.TemporaryDirectory(prefix="ha_rag-test-") as place:  # pytest's own folders are closed to others
        Path(place).chmod(0o777)
        files = {"a.md": "zebras", "b.md": "owls", "inner/c.md": "newts", "log": "whales"}
        docs = write_files(Path(place) / "docs", files)

        def run() -> object:
            command = [sys.executable, "-c", AS_NOBODY, str(Path(place) / "index"), str(docs)]
            return json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)

        assert run() == {"out": [], "kept": []}
        (docs / "a.md").unlink()
        for name in ("b.md", "log", "inner"):
            (docs / name).chmod(0)
        assert run() == {"out": ["a.md", "b.md", "log"], "kept": [["inner/c.md"]]}
