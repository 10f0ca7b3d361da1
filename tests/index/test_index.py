"""The index: committed documents are found, changes are atomic, and failures lose nothing."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest

from ha_rag.clock import ManualClock
from ha_rag.errors import IndexBusyError, IndexStoreError, IndexTooNewError
from ha_rag.index import Chunk, Document, Index, IndexWriter, schema
from ha_rag.index.index import POLL_EVERY_S, RETRY_PAUSE
from ha_rag.index.schema import DATABASE
from ha_rag.messages import Embedding, Space
from tests.index.places import OTHER, SPACE, found, nearest, put, unit


def test_a_folder_without_an_index_is_read_as_an_empty_one(index: Index) -> None:
    assert not index.exists
    assert (index.documents, index.passages, index.spaces()) == (0, 0, [])
    assert found(index, "anything") == []
    assert index.problem is None


def test_committed_documents_are_found_by_words_and_by_vectors(index: Index) -> None:
    put(index, {"a": "circuits open", "b": "zebras graze"})
    assert found(index, "zebra") == ["b"]
    assert nearest(index, "circuits open")[0] == "a"
    assert (index.documents, index.passages) == (2, 2)


def test_passages_have_their_document_number_title_and_heading(index: Index) -> None:
    chunks = [Chunk(text="first", title="Guide", heading=""), Chunk(text="second", title="Guide", heading="A > B")]
    with index.writer() as writer:
        writer.put(Document(id="guide.md", text="", title="Guide"), chunks)
        writer.commit()
    index.refresh()
    (passage,) = index.passages_of(index.snapshot.search_words("second", 1))
    assert (passage.document, passage.id, passage.text) == ("guide.md", "guide.md#1", "second")
    assert (passage.title, passage.heading) == ("Guide", "A > B")
    assert passage.score > 0


def test_titles_and_headings_are_searched(index: Index) -> None:
    with index.writer() as writer:
        writer.put(Document(id="a", text=""), [Chunk(text="body", title="Aardvarks", heading="Habits > Feeding")])
        writer.commit()
    index.refresh()
    assert found(index, "aardvark") == found(index, "feeding") == ["a"]


def test_uncommitted_changes_are_invisible_and_discarded(index: Index) -> None:
    with index.writer() as writer:
        writer.put(Document(id="a", text="zebra"), [Chunk(text="zebra")])
        index.refresh()
        assert found(index, "zebra") == []
    index.refresh()
    assert index.passages == 0


def test_a_replaced_document_is_found_by_its_new_words_only(index: Index) -> None:
    put(index, {"a": "zebra", "b": "lion"})
    put(index, {"a": "giraffe"})
    assert found(index, "zebra") == []
    assert found(index, "giraffe") == ["a"]
    assert (index.documents, index.passages) == (2, 2)
    assert sorted(nearest(index, "giraffe")) == ["a", "b"]


def test_a_document_replaced_twice_in_one_commit_has_the_last_text(index: Index) -> None:
    with index.writer() as writer:
        for text in ("zebra", "giraffe"):
            writer.put(Document(id="a", text=text), [Chunk(text=text)])
        writer.commit()
    index.refresh()
    assert (found(index, "zebra"), found(index, "giraffe"), index.passages) == ([], ["a"], 1)


def test_a_deleted_document_is_not_found_any_more(index: Index) -> None:
    put(index, {"a": "zebra", "b": "lion"})
    with index.writer() as writer:
        assert writer.delete("a")
        assert not writer.delete("nobody")
        writer.commit()
    index.refresh()
    assert found(index, "zebra") == []
    assert nearest(index, "zebra") == ["b"]
    assert (index.documents, index.passages) == (1, 1)


def test_columns_of_different_spaces_are_searched_separately(index: Index) -> None:
    put(index, {"a": "zebra"}, space=SPACE)
    put(index, {"b": "zebra"}, space=OTHER)
    assert nearest(index, "zebra", SPACE) == ["a"]
    assert nearest(index, "zebra", OTHER) == ["b"]


@pytest.mark.parametrize(
    "embedding",
    [
        Embedding(unit(1), Space("unknown", "1", 32)),
        Embedding(unit(1), Space("test", "2", 32)),
        Embedding(unit(1), None),
        Embedding(np.zeros(32, np.float32), SPACE),
        Embedding(unit(1, 16), SPACE),
    ],
    ids=["another model", "another revision", "no space", "the zero vector", "another width"],
)
def test_there_is_no_column_for_a_vector_of_another_space_or_of_none(index: Index, embedding: Embedding) -> None:
    put(index, {"a": "zebra"})
    assert index.column(embedding) is None


def test_spaces_report_how_complete_each_column_is(index: Index) -> None:
    put(index, {"a": "zebra", "b": "lion"})
    put(index, {"c": "giraffe"}, space=None)
    (held,) = index.spaces()
    assert (held.space, held.vectors, held.passages, held.complete) == (SPACE, 2, 3, False)


def test_missing_vectors_are_listed_and_filled(index: Index) -> None:
    put(index, {"a": "zebra", "b": "lion"}, space=None)
    with index.writer() as writer:
        first, second = writer.unembedded(SPACE, 10)
        assert (first.text, second.text) == ("zebra", "lion")
        assert [gap.row for gap in writer.unembedded(SPACE, 10, after_row=first.row)] == [second.row]
        writer.put_vectors(SPACE, {first.row: unit(1), second.row: None})
        writer.commit()
        assert writer.count_unembedded(SPACE) == 1
    index.refresh()
    assert index.spaces()[0].vectors == 1


def test_a_vector_of_the_wrong_width_is_refused(index: Index) -> None:
    with index.writer() as writer, pytest.raises(IndexStoreError, match=r"test@1/32"):
        writer.put(Document(id="a", text="x"), [Chunk(text="x")], {SPACE: [unit(1, 16)]})


def test_the_generation_changes_only_with_the_content(index: Index) -> None:
    put(index, {"a": "zebra"})
    before = index.snapshot.generation
    index.refresh()
    assert index.snapshot.generation == before
    put(index, {"b": "lion"})
    assert index.snapshot.generation > before


def test_two_readers_see_the_same_generation(index: Index) -> None:
    put(index, {"a": "zebra"})
    with Index(index.folder) as other:
        assert other.snapshot.identity == index.snapshot.identity
        assert other.snapshot.generation == index.snapshot.generation
        assert found(other, "zebra") == ["a"]


def test_a_second_writer_is_refused_at_once_with_the_process_id_of_the_first(index: Index) -> None:
    with index.writer(), pytest.raises(IndexBusyError, match=r"process \d+ is writing"), IndexWriter(index.folder):
        pass


def test_the_lock_is_free_again_after_the_writer_left(index: Index) -> None:
    with index.writer():
        pass
    with index.writer() as writer:
        assert writer.document("a") is None


def test_an_index_from_a_later_version_is_refused_with_both_versions_and_a_remedy(index: Index) -> None:
    put(index, {"a": "zebra"})
    with sqlite3.connect(index.folder / DATABASE) as database:
        database.execute("UPDATE meta SET value = 99 WHERE key = 'schema'")
    database.close()
    with pytest.raises(IndexTooNewError, match=r"schema version 99.*up to 1; upgrade"), index.writer():
        pass
    with Index(index.folder) as fresh:
        assert "schema version 99" in str(fresh.problem)
        with pytest.raises(IndexTooNewError):
            _ = fresh.snapshot


def _wait_for_refresh() -> None:
    for thread in threading.enumerate():
        if thread.name == "ha_rag-index":
            thread.join()


def test_a_running_reader_picks_up_an_ingest_by_itself(index: Index, clock: ManualClock) -> None:
    put(index, {"a": "zebra"})
    put(index, {"b": "lion"}, refresh=False)
    assert found(index, "lion") == []
    clock.advance(POLL_EVERY_S)
    index.poll()
    _wait_for_refresh()
    assert found(index, "lion") == ["b"]


def test_a_reader_started_before_the_first_ingest_picks_it_up(index: Index, clock: ManualClock) -> None:
    put(index, {"a": "zebra"}, refresh=False)
    clock.advance(POLL_EVERY_S)
    index.poll()
    _wait_for_refresh()
    assert found(index, "zebra") == ["a"]


def test_polls_are_rate_limited(index: Index, clock: ManualClock) -> None:
    index.poll()
    put(index, {"a": "zebra"}, refresh=False)
    index.poll()
    _wait_for_refresh()
    assert found(index, "zebra") == []
    clock.advance(POLL_EVERY_S)
    index.poll()
    _wait_for_refresh()
    assert found(index, "zebra") == ["a"]


def test_a_loaded_generation_stays_searchable_when_the_index_is_deleted(index: Index) -> None:
    put(index, {"a": "zebra"})
    shutil.rmtree(index.folder)
    index.refresh()
    assert found(index, "zebra") == ["a"]
    assert "is gone" in str(index.problem)


def test_an_index_recreated_after_its_deletion_is_picked_up(index: Index) -> None:
    put(index, {"a": "zebra", "c": "lion"})
    shutil.rmtree(index.folder)
    put(index, {"b": "zebra"})
    assert found(index, "zebra") == ["b"]
    assert nearest(index, "zebra") == ["b"]
    assert index.problem is None


@pytest.mark.parametrize("rubbish", [b"", b"rubbish" * 1000, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_damaged_database_is_reported_and_the_loaded_generation_stays(
    index: Index, tmp_path: Path, rubbish: bytes
) -> None:
    put(index, {"a": "zebra"})
    shutil.rmtree(index.folder)
    index.folder.mkdir()
    (index.folder / DATABASE).write_bytes(rubbish)
    index.refresh()
    assert index.problem is not None
    assert found(index, "zebra") == ["a"]
    with Index(index.folder) as fresh, pytest.raises(IndexStoreError, match=r"index"):
        _ = fresh.snapshot
    with pytest.raises(IndexStoreError, match=r"index"), index.writer():
        pass


def test_a_closed_index_finds_nothing_and_raises_nothing(index: Index) -> None:
    put(index, {"a": "zebra"})
    hits = index.snapshot.search_words("zebra", 1)
    index.close()
    assert index.passages_of(hits) == []
    assert found(index, "zebra") == []


def test_a_writer_that_was_not_opened_says_how_to_open_it(index: Index) -> None:
    with pytest.raises(IndexStoreError, match=r"with index\.writer"):
        index.writer().commit()


def test_a_full_disk_is_reported_and_loses_no_indexed_document(index: Index) -> None:
    put(index, {"a": "zebra"})
    with index.writer() as writer:
        database = writer._database
        pages = database.execute("PRAGMA page_count").fetchone()[0]
        database.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(IndexStoreError, match="no space left"):
            writer.put(Document(id="big", text="x"), [Chunk(text="lion " * 200_000)])
    index.refresh()
    assert (found(index, "zebra"), found(index, "lion"), index.documents) == (["a"], [], 1)
    put(index, {"b": "giraffe"})
    assert found(index, "giraffe") == ["b"]


def test_a_database_locked_by_another_program_is_reported_as_busy(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(index, {"a": "zebra"})
    monkeypatch.setattr(schema, "BUSY_TIMEOUT_S", 0.0)
    holder = sqlite3.connect(index.folder / DATABASE, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        with index.writer() as writer, pytest.raises(IndexBusyError, match="another program"):
            writer.delete("a")
    finally:
        holder.close()
    assert found(index, "zebra") == ["a"]


def test_an_error_that_nobody_foresaw_is_a_problem_and_is_logged_once(
    index: Index, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class PanicError(BaseException):
        pass

    def load(*_: object) -> None:
        clock.advance(1.0)
        raise PanicError("index out of bounds")

    put(index, {"a": "zebra"})
    monkeypatch.setattr("ha_rag.index.index.load", load)
    for _ in range(3):
        index.refresh()
    assert "PanicError: index out of bounds" in str(index.problem)
    assert len(caplog.records) == 1
    assert found(index, "zebra") == ["a"]


def test_a_load_that_failed_is_tried_again_after_several_times_what_it_took(
    index: Index, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[float] = []

    def load(*_: object) -> None:
        loads.append(clock.monotonic_s())
        clock.advance(1.0)
        raise IndexStoreError("damaged")

    put(index, {"a": "zebra"})
    monkeypatch.setattr("ha_rag.index.index.load", load)
    index.refresh()
    for _ in range(4 * RETRY_PAUSE):
        clock.advance(0.5)
        index.poll()
        _wait_for_refresh()
    assert [round(at_s - loads[0]) for at_s in loads] == [0, 1 + RETRY_PAUSE, 2 + 2 * RETRY_PAUSE]
