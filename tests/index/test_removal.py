"""Documents that are forgotten by their ids: all that are named, or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.errors import IndexBusyError, UnknownDocumentError
from ha_rag.index import Index, ingest
from ha_rag.index.listed import DocumentFilter
from ha_rag.index.listing import DocumentList
from ha_rag.index.removal import remove_documents
from tests.index.places import found, put, write_files


def ids(index: Index) -> list[str]:
    return [listed.id for listed in DocumentList(index.folder).page(DocumentFilter(), 100).documents]


def test_several_documents_are_removed_and_no_others(index: Index):
    put(index, {"a": "zebra", "b": "zebra", "c": "zebra"})

    removed = remove_documents(index.folder, ["c", "a", "c"])
    index.refresh()

    assert [(one.id, one.file) for one in removed] == [("c", None), ("a", None)]
    assert (ids(index), found(index, "zebra")) == (["b"], ["b"])


@pytest.mark.parametrize("unknown", ["x", "", "A", "a ", "../a", "\udcff", "a\0", "x" * 10_000])
def test_an_unknown_id_removes_nothing(index: Index, unknown: str):
    put(index, {"a": "zebra", "b": "zebra"})

    with pytest.raises(UnknownDocumentError) as raised:
        remove_documents(index.folder, ["a", unknown])

    assert list(raised.value.documents) == [unknown]
    assert ids(index) == ["a", "b"]


def test_ids_that_are_probably_meant_are_named(index: Index):
    put(index, {"handbook/travel.md": "zebra", "other": "lion"})

    with pytest.raises(
        UnknownDocumentError, match=r"no document 'handbook/travels\.md', perhaps 'handbook/travel\.md'"
    ):
        remove_documents(index.folder, ["handbook/travels.md"])


async def test_the_path_of_a_file_leads_to_its_document(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = write_files(tmp_path / "docs", {"zebra.md": "Zebras graze."})
    await ingest([folder], index, {})
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UnknownDocumentError, match=r"perhaps 'zebra\.md'"):
        remove_documents(index.folder, ["docs/zebra.md"])


async def test_a_file_that_is_still_there_is_named(index: Index, tmp_path: Path):
    lines = '{"id": "one", "text": "Owls."}\n{"id": "two", "text": "Bees."}\n'
    folder = write_files(tmp_path / "docs", {"zebra.md": "Zebras.", "lion.md": "Lions.", "lines.jsonl": lines})
    await ingest([folder], index, {})
    (folder / "lion.md").unlink()

    removed = remove_documents(index.folder, ["zebra.md", "lion.md", "two"])

    assert {one.id: one.file for one in removed} == {
        "zebra.md": folder / "zebra.md",
        "lion.md": None,
        "two": folder / "lines.jsonl",
    }


def test_a_missing_index_knows_no_document_and_is_not_made(index: Index):
    with pytest.raises(UnknownDocumentError):
        remove_documents(index.folder, ["a"])
    assert not index.folder.exists()


def test_nothing_is_removed_while_another_writer_is_active(index: Index):
    put(index, {"a": "zebra"})
    with index.writer(), pytest.raises(IndexBusyError):
        remove_documents(index.folder, ["a"])
    assert ids(index) == ["a"]
