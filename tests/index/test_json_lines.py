"""JSON lines: the names of fields, encodings and layouts that files in the wild have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index import Document
from ha_rag.index.reading.files import Read, read
from ha_rag.index.reading.walking import FoundFile

RECORDS = [{"id": 1, "text": "zebra"}, {"id": 2, "text": "Löwe"}]


def _read(folder: Path, data: str | bytes) -> list[Read]:
    (folder / "a.jsonl").write_bytes(data if isinstance(data, bytes) else data.encode())
    return list(read(FoundFile(folder / "a.jsonl", "a.jsonl", folder)))


def _texts(folder: Path, data: str | bytes) -> list[tuple[str, str]]:
    told = _read(folder, data)
    assert all(isinstance(one, Document) for one in told), told
    return [(one.id, one.text) for one in told if isinstance(one, Document)]


@pytest.mark.parametrize("name", ["_id", "id", "doc_id"])
@pytest.mark.parametrize("text", ["text", "content", "body", "contents", "page_content"])
def test_an_id_and_a_text_go_by_several_names(tmp_path: Path, name: str, text: str) -> None:
    assert _texts(tmp_path, json.dumps({name: 7, text: "zebra"})) == [("7", "zebra")]


def test_a_line_without_any_of_them_says_which_names_are_known(tmp_path: Path) -> None:
    (error,) = _read(tmp_path, '{"id": 7, "question": "What?"}')
    assert "no 'text' or 'content'" in str(error)


def test_an_id_may_be_any_number(tmp_path: Path) -> None:
    assert _texts(tmp_path, '{"id": 0, "text": "zebra"}\n{"id": 1.5, "text": "lion"}') == [
        ("0", "zebra"),
        ("1.5", "lion"),
    ]


def test_commas_between_the_lines_are_no_harm(tmp_path: Path) -> None:
    assert _texts(tmp_path, '{"id": 1, "text": "zebra"},\n{"id": 2, "text": "Löwe"},\n') == [
        ("1", "zebra"),
        ("2", "Löwe"),
    ]


def test_where_a_line_has_both_ids_the_first_one_of_beir_counts(tmp_path: Path) -> None:
    (document,) = _read(tmp_path, '{"id": "b", "_id": "a", "text": "zebra", "title": "T", "metadata": {"year": 1969}}')
    assert isinstance(document, Document)
    assert (document.id, document.title, document.metadata) == ("a", "T", {"year": 1969, "id": "b"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_lines_in_other_encodings_are_read(tmp_path: Path, encoding: str) -> None:
    lines = "\n".join(json.dumps(record, ensure_ascii=False) for record in RECORDS)
    assert _texts(tmp_path, lines.encode(encoding)) == [("1", "zebra"), ("2", "Löwe")]


@pytest.mark.parametrize("indent", [None, 2], ids=["on one line", "printed prettily"])
@pytest.mark.parametrize("separate", [False, True], ids=["an array", "objects"])
def test_an_array_and_objects_over_many_lines_are_read(tmp_path: Path, indent: int | None, separate: bool) -> None:
    parts = RECORDS if separate else [RECORDS]
    data = "\n".join(json.dumps(part, indent=indent) for part in parts)
    assert _texts(tmp_path, data) == [("1", "zebra"), ("2", "Löwe")]


def test_a_line_whose_id_was_there_before_is_named_and_costs_that_line_only(tmp_path: Path) -> None:
    first, error, last = _read(tmp_path, '{"id": 1, "text": "a"}\n{"id": 1, "text": "b"}\n{"id": 2, "text": "c"}\n')
    assert isinstance(first, Document)
    assert isinstance(last, Document)
    assert isinstance(error, UnreadableDocumentError)
    assert str(error) == "a.jsonl:2: has the id '1' twice; the first is kept"


def test_a_bad_element_of_an_array_is_named_by_its_number(tmp_path: Path) -> None:
    data = json.dumps([RECORDS[0], {"text": "no id"}, RECORDS[1]], indent=1)
    _, error, _ = _read(tmp_path, data)
    assert str(error) == 'a.jsonl:item 2: has no "_id" or "id"'


def test_a_file_without_documents_is_reported(tmp_path: Path) -> None:
    assert [str(one) for one in _read(tmp_path, "\n \n")] == ["a.jsonl: contains no documents"]
