"""The list of an index's documents: their states, and pages that stay stable while others write."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import get_args

import pytest

from ha_rag.clock import ManualClock
from ha_rag.components.script import Script
from ha_rag.errors import IndexStoreError, IndexTooNewError
from ha_rag.index import Chunk, Document, Index, RetryPolicy, add_document, ingest
from ha_rag.index import listing as listing_module
from ha_rag.index.listed import DocumentFilter, DocumentState, ListedDocument, ListedPassage, ListPage, Origin
from ha_rag.index.listing import DocumentList
from ha_rag.index.schema import DATABASE, set_meta
from tests.index.places import OTHER, SPACE, TestEmbedder, put, write_files

EVERYTHING = DocumentFilter()


@contextmanager
def database(index: Index) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(index.folder / DATABASE, isolation_level=None)) as connection:
        yield connection


def every(index: Index, wanted: DocumentFilter = EVERYTHING, limit: int = 100) -> list[ListedDocument]:
    return [listed for page in pages(index, wanted, limit) for listed in page.documents]


def pages(index: Index, wanted: DocumentFilter = EVERYTHING, limit: int = 100) -> Iterator[ListPage]:
    listing = DocumentList(index.folder, [SPACE])
    page = listing.page(wanted, limit)
    yield page
    while page.after is not None:
        page = listing.page(wanted, limit, page.after)
        yield page


def names(index: Index, wanted: DocumentFilter = EVERYTHING, limit: int = 100) -> list[str]:
    return [listed.id for listed in every(index, wanted, limit)]


async def test_a_document_is_listed_with_where_it_came_from_and_when(index: Index, clock: ManualClock, tmp_path: Path):
    folder = write_files(tmp_path / "docs", {"zoo/zebra.md": "# Zebras\n\nThey graze."})
    await ingest([folder], index, {"primary": TestEmbedder()})
    first_ms = clock.unix_ms()
    clock.advance(60.0)
    await add_document(index, {"primary": TestEmbedder()}, "added", "Owls hoot.", "Owls")

    added, zebra = every(index)

    assert (zebra.id, zebra.title, zebra.origin) == ("zoo/zebra.md", "Zebras", "file")
    assert zebra.source == str(folder / "zoo" / "zebra.md")
    assert (zebra.state, zebra.reason, zebra.passages, zebra.vectors) == ("searchable", "", 1, {SPACE: 1})
    assert (zebra.indexed_ms, added.indexed_ms) == (first_ms, first_ms + 60_000)
    assert (added.id, added.origin, added.source) == ("added", "http", "")


async def test_a_document_without_vectors_waits_for_them_in_each_space(index: Index):
    down = TestEmbedder(script=Script.always())
    await add_document(index, {"primary": down}, "a", "zebra", retry_policy=RetryPolicy(attempts=1))

    (listed,) = every(index)

    assert (listed.state, listed.vectors) == ("waiting", {SPACE: 0})
    assert listed.reason == "1 of 1 passage without a vector of test@1/32; the next ingest makes them"


def test_vectors_of_a_space_that_no_embedder_has_are_shown_and_not_waited_for(index: Index):
    put(index, {"a": "zebra"}, space=OTHER)

    (listed,) = DocumentList(index.folder).page(EVERYTHING, 10).documents

    assert (listed.state, listed.vectors) == ("searchable", {OTHER: 1})


DAMAGE = {
    "UPDATE passages SET text = 'other' WHERE document = 'b'": "damaged: 1 passage",
    "UPDATE passages SET text = CAST(x'ff61' AS TEXT) WHERE document = 'b'": "damaged: 1 passage",
    "UPDATE passages SET number = 'x' WHERE document = 'b'": "damaged: 1 passage",
    "DELETE FROM passages WHERE document = 'b'": "some of its passages are missing",
    "UPDATE documents SET digest = 'damaged' WHERE id = 'b'": "it was damaged, and waits to be read again",
    "UPDATE documents SET title = CAST(x'ff61' AS TEXT) WHERE id = 'b'": "its record is damaged",
    "UPDATE documents SET metadata = x'ff61' WHERE id = 'b'": "its record is damaged",
}


@pytest.mark.parametrize(("damage", "reason"), DAMAGE.items(), ids=range(len(DAMAGE)))
def test_a_damaged_document_is_listed_with_its_damage_and_the_others_as_they_are(
    index: Index, damage: str, reason: str
):
    put(index, {"a": "zebra", "b": "lion", "c": "owl"})
    with database(index) as connection:
        connection.execute(damage)

    found = {listed.id: listed for listed in every(index)}

    assert {name: listed.state for name, listed in found.items()} == {
        "a": "searchable",
        "b": "damaged",
        "c": "searchable",
    }
    assert found["b"].reason.startswith(reason)
    assert DocumentList(index.folder).document("b", 10) is not None


def test_an_id_that_is_not_utf_8_is_shown_as_escapes_and_ends_no_page(index: Index):
    put(index, {"a": "zebra", "b": "lion", "z": "owl"})
    with database(index) as connection:
        connection.execute("UPDATE documents SET id = CAST(x'62ff' AS TEXT) WHERE id = 'b'")

    assert names(index, limit=1) == ["a", "b\\xff", "z"]


def test_an_id_that_is_no_text_is_left_out(index: Index):
    put(index, {"a": "zebra", "b": "lion"})
    with database(index) as connection:
        connection.execute("UPDATE documents SET id = x'62' WHERE id = 'b'")

    assert names(index, limit=1) == ["a"]


def test_a_document_whose_writer_has_not_finished_is_being_indexed(index: Index):
    put(index, {"a": "zebra"})
    with database(index) as connection:
        connection.execute("UPDATE passages SET state = 0")

    (listed,) = every(index)

    assert listed.state == "indexing"


def test_the_old_passages_of_a_document_that_is_replaced_are_not_counted(index: Index):
    put(index, {"a": "zebra"})
    with index.writer() as writer:
        writer.put(Document(id="a", text="lion"), [Chunk(text="lion")])
        assert [listed.passages for listed in every(index)] == [1]
        writer.commit()

    assert [listed.passages for listed in every(index)] == [1]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_every_document_once_in_the_order_of_bytes(index: Index, limit: int):
    ids = ["a", "B", "ä", "a/b", "%2F", "..", "z" * 512, "Ω", "a'b", "x\u3000y"]
    put(index, dict.fromkeys(ids, "zebra"))

    found = list(pages(index, limit=limit))

    assert [listed.id for page in found for listed in page.documents] == sorted(ids, key=str.encode)
    assert all(len(page.documents) <= limit and page.total == len(ids) for page in found)


def test_documents_that_stay_are_listed_once_whatever_is_written_between_two_pages(index: Index):
    stay = [f"{n:02}" for n in range(0, 20, 2)]
    put(index, dict.fromkeys(stay, "zebra"))
    seen: list[str] = []
    for n, page in enumerate(pages(index, limit=3)):
        seen += [listed.id for listed in page.documents]
        put(index, {f"{n:02}x": "new", "zz": f"changed {n}"})
        with index.writer() as writer:
            writer.delete(f"{n:02}x")
            writer.commit()

    assert [name for name in seen if name in stay] == stay
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (DocumentFilter(words="zebra"), ["zebra.md"]),
        (DocumentFilter(words="ZEBRA docs"), ["zebra.md"]),
        (DocumentFilter(words="zebra owls"), []),
        (DocumentFilter(words="grüße"), ["gru\u0308ße"]),
        (DocumentFilter(words="GRÜSSE"), ["gru\u0308ße"]),
        (DocumentFilter(words="%"), ["100%"]),
        (DocumentFilter(words="added"), []),
        (DocumentFilter(origin="file"), ["zebra.md"]),
        (DocumentFilter(origin="http"), ["100%", "gru\u0308ße"]),
        (DocumentFilter(state="waiting"), ["100%"]),
        (DocumentFilter(state="waiting", origin="file"), []),
        (DocumentFilter(state="searchable", words="z"), ["zebra.md"]),
        (DocumentFilter(state="damaged"), []),
    ],
)
async def test_only_documents_that_meet_all_of_a_filter_are_listed(
    index: Index, tmp_path: Path, wanted: DocumentFilter, found: list[str]
):
    await add_document(index, {}, "100%", "zebra")
    folder = write_files(tmp_path / "docs", {"zebra.md": "# Stripes"})
    await ingest([folder], index, {"primary": TestEmbedder()})
    with database(index) as connection:  # the ingest has filled the gap
        connection.execute("DELETE FROM vectors WHERE passage = (SELECT row FROM passages WHERE document = '100%')")
    await add_document(index, {"primary": TestEmbedder()}, "gru\u0308ße", "lion", "Greetings")

    assert names(index, wanted) == found


def test_a_page_that_has_looked_at_enough_ends_before_it_is_full(index: Index, monkeypatch: pytest.MonkeyPatch):
    put(index, {f"{n}": "zebra" for n in range(10)})
    for name in ("LOOKED_AT", "LONGEST_LOOK"):
        with monkeypatch.context() as patched:
            patched.setattr(listing_module, name, 4)
            found = list(pages(index, DocumentFilter(words="")))
            assert [len(page.documents) for page in found] == [4, 4, 2]
    monkeypatch.setattr(listing_module, "LOOKED_AT", 4)
    assert [len(page.documents) for page in pages(index, DocumentFilter(words="9"))] == [0, 0, 1]


def test_a_missing_index_has_no_documents_and_is_not_made(index: Index):
    assert DocumentList(index.folder).page(EVERYTHING, 10) == ListPage()
    assert DocumentList(index.folder).document("a", 10) is None
    assert not index.folder.exists()


def test_an_index_that_cannot_be_read_is_an_error(index: Index):
    put(index, {"a": "zebra"})
    with database(index) as connection:
        set_meta(connection, "schema", 99)
    with pytest.raises(IndexTooNewError):
        every(index)
    (index.folder / DATABASE).write_bytes(b"no database" * 1000)
    with pytest.raises(IndexStoreError, match="damaged"):
        every(index)


def test_a_document_of_0_1_0_is_listed_without_a_time(index: Index):
    put(index, {"a": "zebra", "b": "lion"})
    with database(index) as connection:
        connection.execute("UPDATE documents SET digest = 'by 0.1.0' WHERE id = 'a'")
    assert [listed.indexed_ms is None for listed in every(index)] == [True, False]
    with database(index) as connection:
        connection.execute("DROP TABLE times")
    assert [listed.indexed_ms is None for listed in every(index)] == [True, True]


# ---- one document ---------------------------------------------------------------------------------------------------


def several(index: Index, number: int) -> None:
    with index.writer() as writer:
        chunks = [Chunk(text=f"text {n}", heading=f"heading {n}", title="T") for n in range(number)]
        writer.put(Document(id="a", text="", title="T", metadata={"year": 2026}), chunks)
        writer.commit()


@pytest.mark.parametrize("limit", [1, 2, 5, 6])
def test_a_document_is_shown_with_its_passages_part_by_part(index: Index, limit: int):
    several(index, 5)
    listing = DocumentList(index.folder)
    shown: list[ListedPassage] = []
    after = -1
    while True:
        details = listing.document("a", limit, after)
        assert details is not None
        assert (details.listed.passages, details.metadata) == (5, {"year": 2026})
        shown += details.passages
        if details.after is None:
            break
        after = details.after

    assert [(one.id, one.title, one.heading, one.text) for one in shown] == [
        (f"a#{n}", "T", f"heading {n}", f"text {n}") for n in range(5)
    ]


def test_a_damaged_passage_is_shown_without_its_text(index: Index):
    several(index, 2)
    with database(index) as connection:
        connection.execute("UPDATE passages SET text = 'forged' WHERE number = 1")

    details = DocumentList(index.folder).document("a", 10)

    assert details is not None
    assert [(one.text, one.problem) for one in details.passages] == [
        ("text 0", ""),
        ("", "does not match its checksum"),
    ]


@pytest.mark.parametrize("name", ["b", "", "A", "a\n", " a", "\udcff", "a' OR 1=1 --", "%"])
def test_an_unknown_id_shows_nothing(index: Index, name: str):
    put(index, {"a": "zebra"})
    assert DocumentList(index.folder).document(name, 10) is None


def test_states_and_origins_are_those_that_the_command_line_takes():
    from ha_rag.cli.documents import WantedOrigin, WantedState

    assert set(WantedState) == set(get_args(DocumentState))
    assert set(WantedOrigin) == set(get_args(Origin))


@pytest.mark.parametrize(
    ("source", "origin", "shown"),
    [
        ("/d/a.md", "file", "/d/a.md"),
        ("/d/lines.jsonl#7", "file", "/d/lines.jsonl#7"),
        ("added:a", "http", ""),
        ("added:/d/a.md", "http", ""),
        ("", "http", ""),
        ("sample:breaker.md", "sample", ""),
        ("/lib/python3/site-packages/ha_rag/samples/breaker.md", "sample", ""),
    ],
)
def test_where_a_document_came_from_is_told_from_its_source(index: Index, source: str, origin: Origin, shown: str):
    with index.writer() as writer:
        writer.put(Document(id="a", text="zebra", source=source), [Chunk(text="zebra")])
        writer.commit()

    (listed,) = every(index)

    assert (listed.origin, listed.source) == (origin, shown)
