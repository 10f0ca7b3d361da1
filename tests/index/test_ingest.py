"""Ingest: folders become a searchable index; failures are reported, and everything else is indexed."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from ha_rag.components.script import Script
from ha_rag.errors import IndexBusyError, ServiceError
from ha_rag.index import (
    Chunk,
    Document,
    Index,
    IndexWriter,
    IngestReport,
    IngestStep,
    ReadingLimits,
    RetryPolicy,
    Splitting,
    collector,
    ingest,
)
from ha_rag.index.splitting import split
from tests.index.pdfs import pdf
from tests.index.places import OTHER, SPACE, TestEmbedder, found, nearest, write_files

ONE_ATTEMPT = RetryPolicy(attempts=1)
FILES = {"a.md": "# Zebras\n\nThey graze.", "deep/b.txt": "Lions sleep.", "c.html": "<h1>Owls</h1><p>They hoot.</p>"}


async def _ingest(index: Index, *paths: Path, embedder: TestEmbedder | None = None, **more) -> IngestReport:
    return await ingest(paths, index, {"primary": embedder or TestEmbedder()}, retry_policy=ONE_ATTEMPT, **more)


async def test_a_folder_becomes_searchable_by_words_and_vectors(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", {**FILES, "d.pdf": pdf("Whales dive")})
    report = await _ingest(index, folder)
    assert (report.added, report.changed, report.unchanged, report.passages) == (4, 0, 0, 4)
    assert report.complete
    assert found(index, "grazing zebra") == ["a.md"]
    assert found(index, "lion") == ["deep/b.txt"]
    assert found(index, "whales") == ["d.pdf"]
    assert nearest(index, "owls hoot")[0] == "c.html"
    assert index.spaces()[0].complete


async def test_unchanged_documents_are_not_embedded_again(index: Index, tmp_path: Path) -> None:
    folder, embedder = write_files(tmp_path / "docs", FILES), TestEmbedder()
    await _ingest(index, folder, embedder=embedder)
    before = index.snapshot.generation
    report = await _ingest(index, folder, embedder=embedder)
    assert (report.added, report.unchanged, report.passages) == (0, 3, 0)
    assert embedder.asked == [3]
    assert index.snapshot.generation == before


async def test_a_changed_document_is_replaced(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", FILES)
    await _ingest(index, folder)
    write_files(folder, {"a.md": "# Giraffes\n\nThey browse."})
    report = await _ingest(index, folder)
    assert (report.added, report.changed, report.unchanged) == (0, 1, 2)
    assert found(index, "zebra") == []
    assert found(index, "giraffe") == ["a.md"]


async def test_documents_are_ingested_again_when_the_splitting_changes(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", FILES)
    await _ingest(index, folder)
    assert (await _ingest(index, folder, splitting=Splitting(max_tokens=100))).changed == 3


async def test_a_document_whose_file_vanished_stays(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", FILES)
    await _ingest(index, folder)
    (folder / "a.md").unlink()
    await _ingest(index, folder)
    assert found(index, "zebra") == ["a.md"]


async def test_unreadable_files_are_reported_and_the_others_indexed(index: Index, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        **FILES,
        "bad.pdf": "no PDF",
        "empty.txt": "",
        "binary.txt": bytes(range(256)) * 9,
        "big.txt": "x" * 9000,
    }
    folder = write_files(tmp_path / "docs", files)
    report = await _ingest(index, folder, tmp_path / "nowhere", limits=ReadingLimits(file_bytes=5000))
    assert report.added == 3
    names = sorted(Path(error.document).name for error in report.unreadable)
    assert names == ["bad.pdf", "big.txt", "binary.txt", "empty.txt", "nowhere"]
    assert not report.complete


async def test_an_embedder_that_is_down_leaves_gaps_which_the_next_ingest_fills(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", FILES)
    report = await _ingest(index, folder, embedder=TestEmbedder(script=Script.always(ServiceError("out"))))
    (space,) = report.spaces
    assert (report.added, space.filled, space.missing, space.why) == (3, 0, 3, "out")
    assert found(index, "lion") == ["deep/b.txt"]
    report = await _ingest(index, folder)
    assert (report.unchanged, report.spaces[0].filled, report.spaces[0].missing) == (3, 3, 0)
    assert nearest(index, "lions sleep")[0] == "deep/b.txt"


async def test_a_space_added_later_is_filled_for_all_documents(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", FILES)
    await _ingest(index, folder)
    report = await ingest([], index, {"other": TestEmbedder(OTHER)})
    assert report.spaces[0].filled == 3
    assert {held.space for held in index.spaces()} == {SPACE, OTHER}
    assert nearest(index, "lions sleep", OTHER)[0] == "deep/b.txt"


async def test_an_ingest_without_embedders_is_searchable_by_words(index: Index, tmp_path: Path) -> None:
    await ingest([write_files(tmp_path / "docs", FILES)], index, {})
    assert found(index, "lion") == ["deep/b.txt"]
    assert index.spaces() == []


async def test_the_same_name_below_two_roots_gives_two_documents_with_stable_ids(index: Index, tmp_path: Path) -> None:
    one = write_files(tmp_path / "one", {"readme.md": "zebra"})
    two = write_files(tmp_path / "two", {"readme.md": "lion"})
    report = await _ingest(index, one, two)
    assert (report.added, report.renamed) == (2, (("readme.md", "two/readme.md"),))
    assert (found(index, "zebra"), found(index, "lion")) == (["readme.md"], ["two/readme.md"])
    write_files(two, {"readme.md": "tiger"})
    assert (await _ingest(index, two)).changed == 1
    assert (found(index, "zebra"), found(index, "tiger")) == (["readme.md"], ["two/readme.md"])
    assert (await _ingest(index, two, one)).unchanged == 2


async def test_a_folder_that_was_moved_keeps_its_documents(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "old", {"a.md": "zebra"})
    await _ingest(index, folder)
    moved = folder.rename(tmp_path / "new")
    write_files(moved, {"a.md": "lion"})
    assert (await _ingest(index, moved)).changed == 1
    assert (found(index, "zebra"), found(index, "lion")) == ([], ["a.md"])


async def test_a_file_named_twice_is_read_once(index: Index, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "docs", FILES)
    report = await _ingest(index, folder, folder / "a.md", folder)
    assert (report.added, report.unchanged, report.renamed) == (3, 0, ())


async def test_lines_with_the_same_id_do_not_overwrite_each_other(index: Index, tmp_path: Path) -> None:
    folder = write_files(
        tmp_path / "docs",
        {
            "x.jsonl": '{"_id": "1", "text": "zebra"}\n{"_id": "1", "text": "owl"}',
            "y.jsonl": '{"_id": "1", "text": "lion"}',
        },
    )
    report = await _ingest(index, folder)
    assert (report.added, report.renamed) == (2, (("1", "y/1"),))
    assert "twice" in str(report.unreadable[0])
    assert (found(index, "zebra"), found(index, "lion"), found(index, "owl")) == (["1"], ["y/1"], [])


async def test_many_documents_are_committed_in_batches(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "BATCH_DOCUMENTS", 2)
    lines = "\n".join(f'{{"_id": "{n}", "text": "word{n}"}}' for n in range(5))
    report = await _ingest(index, write_files(tmp_path / "docs", {"x.jsonl": lines}))
    assert report.added == 5
    assert index.snapshot.generation == 3


async def test_progress_is_reported_per_file(index: Index, tmp_path: Path) -> None:
    steps: list[IngestStep] = []
    await _ingest(index, write_files(tmp_path / "docs", FILES), progress=steps.append)
    assert [(step.done, step.total) for step in steps if step.stage == "reading"] == [(0, 3), (1, 3), (2, 3), (3, 3)]
    await ingest([], index, {"other": TestEmbedder(OTHER)}, progress=steps.append)
    assert steps[-1] == IngestStep("filling", 0, 3, "other")


async def test_a_second_ingest_is_refused_at_once_and_the_first_one_completes(index: Index, tmp_path: Path) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def permitted(_: str) -> bool:
        entered.set()
        await leave.wait()
        return True

    folder = write_files(tmp_path / "docs", FILES)
    first = asyncio.create_task(_ingest(index, folder, permitted=permitted))
    await entered.wait()
    with pytest.raises(IndexBusyError, match=r"process \d+"):
        await _ingest(index, folder)
    leave.set()
    assert (await first).complete


async def test_a_cancelled_ingest_keeps_committed_documents_and_releases_the_lock(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collector, "BATCH_DOCUMENTS", 1)
    second = asyncio.Event()
    calls = 0

    async def permitted(_: str) -> bool:
        nonlocal calls
        calls += 1
        if calls == 2:
            second.set()
            await asyncio.Event().wait()
        return True

    folder = write_files(tmp_path / "docs", FILES)
    task = asyncio.create_task(_ingest(index, folder, permitted=permitted))
    await second.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    index.refresh()
    assert index.documents == 1
    report = await _ingest(index, folder)
    assert (report.added, report.unchanged) == (2, 1)


async def test_the_project_s_own_documents_can_be_read(index: Index) -> None:
    docs = Path(__file__).parents[2] / "docs"
    report = await _ingest(index, docs)
    assert report.added >= 1
    assert report.complete
    assert found(index, "How does a circuit recover?")


@pytest.fixture
def commits_only_after_the_next_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of one document. The first one is committed after the second one has been read and split."""
    second_read = threading.Event()
    commit = IndexWriter.commit
    read: list[str] = []

    def split_and_tell(document: Document, splitting: Splitting) -> list[Chunk]:
        chunks = split(document, splitting)
        read.append(document.id)
        if len(read) == 2:
            second_read.set()
        return chunks

    def commit_late(writer: IndexWriter) -> None:
        if read and not second_read.wait(20):
            raise AssertionError("the second document was not read while the first one was written")
        commit(writer)

    monkeypatch.setattr(collector, "BATCH_DOCUMENTS", 1)
    monkeypatch.setattr(collector, "split", split_and_tell)
    monkeypatch.setattr(IndexWriter, "commit", commit_late)


@pytest.mark.usefixtures("commits_only_after_the_next_was_read")
async def test_a_batch_is_read_while_the_one_before_it_is_written(index: Index, tmp_path: Path) -> None:
    assert (await _ingest(index, write_files(tmp_path / "docs", FILES))).added == len(FILES)


@pytest.mark.usefixtures("commits_only_after_the_next_was_read")
async def test_an_id_that_is_still_being_written_is_taken(index: Index, tmp_path: Path) -> None:
    folders = [write_files(tmp_path / name, {"page.txt": f"About {name}."}) for name in ("apples", "pears")]
    await _ingest(index, *folders)
    with index.writer() as writer:
        assert sorted(document.id for document in writer.documents()) == ["page.txt", "pears/page.txt"]
