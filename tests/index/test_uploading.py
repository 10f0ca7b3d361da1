"""Files that were sent: read as an ingest reads them, each with its own result, and added in one step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from ha_rag.clock import ManualClock
from ha_rag.components.script import Script
from ha_rag.errors import IndexBusyError
from ha_rag.index import Index, ingest, uploading
from ha_rag.index.listed import DocumentFilter
from ha_rag.index.listing import DocumentList
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.sandbox import ReadingProcess
from ha_rag.index.uploading import FileAdder, UploadedFile
from tests.index.office_files import docx, paragraph
from tests.index.places import TestEmbedder, found, write_files


def received(folder: Path, files: Mapping[str, str | bytes]) -> list[UploadedFile]:
    """Files as the server keeps them: under numbers, whatever they are called."""
    kept = []
    for n, (name, content) in enumerate(files.items()):
        path = folder / str(n)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        kept.append(UploadedFile(name=name, path=path))
    return kept


@pytest.fixture
def adder(index: Index) -> FileAdder:
    return FileAdder(index, {"primary": TestEmbedder()})


async def test_each_file_is_read_by_the_ending_of_its_name(adder: FileAdder, index: Index, tmp_path: Path):
    files = {
        "zebra.md": "---\nauthor: Anna\n---\n# Zebras\n\nThey graze. ![a herd](data:image/png;base64,AAAA)",
        "owl.html": "<title>Owls</title><p>They hoot.<script>evil()</script>",
        "plain": "Bees hum.",
        "cities.csv": "city,river\nUlm,Danube\n",
    }

    added = await adder.add(received(tmp_path, files))

    assert [(one.error, one.unread) for one in added] == [("", ())] * 4
    assert [one.documents[0].id for one in added] == list(files)
    assert found(index, "owls hoot") == ["owl.html"]
    assert found(index, "danube") == ["cities.csv"]
    assert found(index, "author evil base64") == []
    details = DocumentList(index.folder).document("zebra.md", 10)
    assert details is not None
    assert (details.listed.title, details.listed.origin, details.metadata) == ("Zebras", "http", {"author": "Anna"})


async def test_a_file_without_a_title_is_called_by_its_name(adder: FileAdder, index: Index, tmp_path: Path):
    await adder.add(received(tmp_path, {"Bee notes.txt": "They hum."}))

    details = DocumentList(index.folder).document("Bee notes.txt", 1)

    assert details is not None
    assert details.listed.title == "Bee notes"


async def test_a_document_is_the_same_whether_it_was_sent_or_ingested(adder: FileAdder, index: Index, tmp_path: Path):
    content = "# Zebras\n\nThey graze.\n"
    folder = write_files(tmp_path / "docs", {"zebra.md": content})
    await ingest([folder], index, {"primary": TestEmbedder()})

    (added,) = await adder.add(received(tmp_path, {"zebra.md": content}))

    assert added.documents[0].unchanged


async def test_what_cannot_be_read_is_named_and_the_rest_is_added(adder: FileAdder, index: Index, tmp_path: Path):
    files: dict[str, str | bytes] = {
        "bad.pdf": b"no PDF",
        "a.md": "Bees hum.",
        "photo.png": b"\x89PNG\0",
        "empty.txt": "",
        "b.md": b"Gr\xfc\xdfe. \xe4",
    }

    added = {one.name: one for one in await adder.add(received(tmp_path, files))}

    assert {name: bool(one.error) for name, one in added.items()} == {
        "bad.pdf": True, "a.md": False, "photo.png": True, "empty.txt": True, "b.md": False,
    }  # fmt: skip
    assert (added["bad.pdf"].error, added["bad.pdf"].unread) == ("not a PDF, despite its name", ())
    assert "unsupported format (image)" in added["photo.png"].error
    assert str(tmp_path) not in "".join(one.error for one in added.values())
    assert index.documents == 2


async def test_each_line_of_json_lines_is_a_document(adder: FileAdder, index: Index, tmp_path: Path):
    lines = (
        '{"id": "1", "text": "Bees hum."}\nno json\n{"id": "2", "text": "Owls hoot."}\n{"id": "1", "text": "Again."}\n'
    )

    (added,) = await adder.add(received(tmp_path, {"animals.jsonl": lines}))

    assert [one.id for one in added.documents] == ["1", "2"]
    assert [part for part, _ in added.unread] == ["animals.jsonl:2", "animals.jsonl:4"]
    assert found(index, "hoot") == ["2"]


async def test_of_a_file_without_a_good_line_every_line_is_named(adder: FileAdder, tmp_path: Path):
    (added,) = await adder.add(received(tmp_path, {"animals.jsonl": "no json\n{}\n"}))

    assert (added.error, [part for part, _ in added.unread]) == (
        "nothing of it could be read",
        ["animals.jsonl:1", "animals.jsonl:2"],
    )


async def test_the_first_of_two_documents_with_one_id_is_kept(adder: FileAdder, index: Index, tmp_path: Path):
    files = {"a.md": "Bees hum.", "lines.jsonl": '{"id": "a.md", "text": "Owls."}'}

    first, second = await adder.add(received(tmp_path, files))

    assert (first.error, second.error) == ("", "is in this request twice; the first is kept")
    assert (found(index, "bees"), found(index, "owls")) == (["a.md"], [])


async def test_a_word_file_is_read(adder: FileAdder, index: Index, tmp_path: Path):
    (added,) = await adder.add(received(tmp_path, {"plan.docx": docx(paragraph("Bees hum."))}))

    assert (added.error, found(index, "bees")) == ("", ["plan.docx"])


@pytest.mark.parametrize(("name", "value"), [("MOST_DOCUMENTS", 2), ("MOST_CHARACTERS", 20)])
async def test_what_is_more_than_a_request_may_bring_is_refused_file_by_file(
    adder: FileAdder, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: int
):
    monkeypatch.setattr(uploading, name, value)
    lines = "".join(f'{{"id": "{n}", "text": "Bees hum."}}\n' for n in range(3))

    first, second, third = await adder.add(received(tmp_path, {"a.md": "Owls.", "b.jsonl": lines, "c.md": "Lions."}))

    assert (first.error, third.error) == ("", "")
    assert "run `ha-rag ingest` there" in second.error
    assert index.documents == 2


async def test_files_after_slow_ones_are_left_to_another_request(
    index: Index, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def slow(_: ReadingProcess, __: str, file: RawFile) -> Extract:
        clock.advance(uploading.READING_S + 1)
        return Extract(text=file.data.decode())

    monkeypatch.setattr(ReadingProcess, "read", slow)
    adder = FileAdder(index, {}, clock=clock)

    first, second = await adder.add(received(tmp_path, {"a.md": "Bees.", "b.md": "Owls."}))

    assert first.error == ""
    assert second.error.startswith("not read: the files before it took more than 60 s")


async def test_files_of_two_requests_are_read_one_after_the_other(
    adder: FileAdder, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    reading = most = 0
    read = uploading._read

    def counted(*values: object) -> object:
        nonlocal reading, most
        reading += 1
        most = max(most, reading)
        try:
            return read(*values)  # type: ignore[arg-type]  # passed on
        finally:
            reading -= 1

    monkeypatch.setattr(uploading, "_read", counted)
    requests = []
    for name in "abc":
        (tmp_path / name).mkdir()
        requests.append(adder.add(received(tmp_path / name, {f"{name}.md": "Bees.", f"{name}.txt": "Owls."})))
    await asyncio.gather(*requests)

    assert (most, index.documents) == (1, 6)


async def test_nothing_is_added_while_another_writer_is_active(adder: FileAdder, index: Index, tmp_path: Path):
    with index.writer(), pytest.raises(IndexBusyError):
        await adder.add(received(tmp_path, {"a.md": "Bees."}))
    assert index.documents == 0


async def test_an_embedder_that_is_down_is_named_for_each_document(index: Index, tmp_path: Path):
    adder = FileAdder(index, {"primary": TestEmbedder(script=Script.always())}, permitted=refused)

    added = await adder.add(received(tmp_path, {"a.md": "Bees.", "b.md": "Owls."}))

    assert [list(one.documents[0].missing) for one in added] == [["primary"], ["primary"]]
    page = DocumentList(index.folder, [TestEmbedder().space]).page(DocumentFilter(state="waiting"), 10)
    assert [listed.id for listed in page.documents] == ["a.md", "b.md"]


async def refused(_: str) -> bool:
    return False


async def test_a_file_with_more_unreadable_lines_than_are_named_is_refused_with_the_first(
    adder: FileAdder, index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(uploading, "MOST_UNREAD", 2)
    lines = '{"id": "1", "text": "Bees hum."}\n' + "{}\n" * 9

    (refused,) = await adder.add(received(tmp_path, {"b.jsonl": lines}))

    assert refused.error.startswith("more than 2 parts cannot be read; the first is b.jsonl:2: ")
    assert (refused.documents, refused.unread, index.documents) == ((), (), 0)
