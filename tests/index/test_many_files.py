"""Very many tiny files: an ingest keeps their names, and little else of them."""

from __future__ import annotations

import gc
import tracemalloc
from pathlib import Path

import pytest

from ha_rag.index.collector import Collector
from ha_rag.index.index import Index
from ha_rag.index.indexed_documents import IndexedDocument
from ha_rag.index.ingest import ingest
from ha_rag.index.reading.files import DEFAULT_LIMITS
from ha_rag.index.report import IngestStep
from ha_rag.index.splitting import DEFAULT_SPLITTING

FEW, MANY = 300, 100_000
IN_A_FOLDER = 100
MOST_BYTES = 4_000
"""For each file: three paths of 550 to 750 bytes with their parts, its id and its source; 2,800 bytes were measured."""


class Nothing:
    """An index without documents."""

    def document(self, document: str) -> IndexedDocument | None:
        return None

    def document_from(self, source: str) -> IndexedDocument | None:
        return None


def write_files(folder: Path, number: int) -> None:
    for first in range(0, number, IN_A_FOLDER):
        inner = folder / f"{first:06}"
        inner.mkdir(parents=True)
        for n in range(first, min(number, first + IN_A_FOLDER)):
            (inner / f"note-{n:06}.txt").write_text(f"Note {n}: bees hum in garden {n * 7919 % 10007}.")


def collected_bytes(folder: Path) -> int:
    """What is held at the end, after every document was read and none was kept by its writer."""
    gc.collect()
    tracemalloc.start()
    try:
        collector = Collector([folder], Nothing(), DEFAULT_SPLITTING, DEFAULT_LIMITS, lambda step: None)
        while collector.next_batch():
            pass
        gc.collect()
        assert collector.added > 0
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_a_file_that_was_read_leaves_its_names(tmp_path: Path):
    write_files(tmp_path / "few", FEW)
    write_files(tmp_path / "more", 3 * FEW)
    few, more = collected_bytes(tmp_path / "few"), collected_bytes(tmp_path / "more")
    assert (more - few) / (2 * FEW) < MOST_BYTES


@pytest.mark.long
@pytest.mark.timeout(1200)
async def test_a_hundred_thousand_files_are_ingested_in_bounded_memory(tmp_path: Path):
    write_files(tmp_path / "files", MANY)
    held: dict[int, int] = {}

    def note(step: IngestStep) -> None:
        if step.stage == "reading" and step.done % 10_000 == 0:
            held[step.done] = private_bytes()

    with Index(tmp_path / "index") as index:
        report = await ingest([tmp_path / "files"], index, {}, progress=note)
    print({done: f"{size / 2**20:.0f} MiB" for done, size in held.items()})
    assert (report.added, report.unreadable) == (MANY, ())
    # By 20,000 the writer of the word index holds what it needs at a time.
    assert (held[MANY] - held[20_000]) / (MANY - 20_000) < MOST_BYTES


def private_bytes() -> int:
    """Resident memory of this process that is no file's."""
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024
