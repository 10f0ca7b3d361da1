"""Arbitrary bytes: every file yields text or a reason, in bounded time and memory, and affects no other file."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.errors import UnreadableDocumentError
from ha_rag.index import Document, Index, ingest
from ha_rag.index.reading.files import FORMS, FoundFile, read
from ha_rag.index.reading.sandbox import ReadingProcess
from ha_rag.index.splitting import split
from ha_rag.index.writer import IndexedDocument
from tests.index.pdfs import pdf
from tests.waiting import until

UNFIT = "".join(map(chr, (*range(9), 11, 12, *range(14, 32), *range(127, 160))))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("documents")


@pytest.fixture
def reader() -> Iterator[ReadingProcess]:
    process = ReadingProcess()
    yield process
    process.end()


def results(folder: Path, name: str, data: bytes) -> list[Document | UnreadableDocumentError]:
    """What reading says, each looked at: texts can be stored, shown and split, reasons are short sentences."""
    (folder / name).write_bytes(data)
    told = list(read(FoundFile(folder / name, name, folder)))
    for one in told:
        if isinstance(one, UnreadableDocumentError):
            assert one.document.startswith(name)
            assert one.why
            assert len(str(one)) < 500
            assert "\n" not in str(one)
        else:
            assert not set(UNFIT) & set(one.text + one.title + one.id)
            (one.text + one.title + one.id + one.digest + one.source).encode()
            split(one)
    return told


TAGS = ["p", "a", "ol", "li", "td", "table", "tr", "pre", "blockquote", "h1", "script", "title", "img", "x", "svg"]
PIECES = [
    "<![foo[", "<![CDATA[", "<!--", "-->", "<?", "<!x", "</", "<", "&", "&#0;", "&#27;", "&#xD800;", "&#x110000;",
    "&#" + "9" * 5000 + ";", "start='½'", "start='²'", "colspan='²'", "colspan=999999999", "start=" + "9" * 5000,
    "zebra", "\n", "\0", "\ud7ff", "# ", "```", "</p>", "</table>", "<a href='x", '"', ">",
]  # fmt: skip
tags = st.builds("<{} {}>".format, st.sampled_from(TAGS), st.sampled_from(PIECES))
pages = st.lists(tags | st.sampled_from(PIECES) | st.text(max_size=5), max_size=20).map(
    lambda chunks: "".join(chunks).encode(errors="replace")
)


@settings(max_examples=200, deadline=None)
@given(pages)
@example(b"<![foo[ zebra")
@example("<ol start='½'><li>zebra</ol>".encode())
@example(b"zebra &#27;[31m &#xD800;")
def test_any_page_is_read_or_refused(folder, data):
    assert len(results(folder, "page.html", data)) == 1


PDF = pdf("Zebras graze", "Lions sleep", title="On animals")


@st.composite
def broken_pdfs(draw: st.DrawFn) -> bytes:
    data = bytearray(PDF)
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 12))] = draw(
            st.binary(max_size=6) | st.sampled_from([b"9" * 12, b"1 0 R", b"<<", b"]", b"/Length -1"])
        )
    return bytes(data)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(broken_pdfs())
def test_no_damage_to_a_pdf_raises_an_unexpected_error(folder, data):
    assert len(results(folder, "paper.pdf", data)) == 1


lines = st.sampled_from(
    ['{"_id": "7", "text": "zebra"}', '{"_id": "\\ud800", "text": "\\ud800 a", "title": "\\u0000"}', '{"_id": 1e999}',
     '{"_id": "8", "text": "lion", "n": NaN}', "[" * 3000, '{"a":' * 3000, "9" * 5000, '{"_id": "\\n", "text": "a"}',
     '{"_id": "' + "x" * 2000 + '", "text": "a"}', '{"_id": null, "text": []}', '"', "\ufeff{}", "null"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(lines.map(str.encode) | st.binary(max_size=30), max_size=8).map(b"\n".join))
def test_any_json_lines_are_read_or_refused_one_by_one(folder, data):
    told = results(folder, "corpus.jsonl", data)
    wanted = [line for line in data.split(b"\n") if line.strip()]
    assert len(told) == len(wanted)


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=400) | st.text(max_size=100).map(lambda text: text.encode("utf-16", "replace")),
    st.sampled_from(sorted(FORMS)),
)
def test_any_bytes_under_any_name_are_read_or_refused(folder, data, ending):
    results(folder, f"any{ending}", data)


def test_a_page_that_takes_too_long_is_refused_and_the_next_one_is_read() -> None:
    reader = ReadingProcess(base_s=1)
    try:
        with pytest.raises(UnreadableDocumentError, match="more than 3 s of CPU time"):
            reader.read("page.html", "html", b"<a " * 70_000)
        assert reader.read("page.html", "html", b"<p>zebra</p>") == ("", "zebra")
    finally:
        reader.end()


def test_a_page_that_takes_too_much_memory_is_refused_and_the_next_one_is_read() -> None:
    reader = ReadingProcess(memory_bytes=250_000_000)
    try:
        with pytest.raises(UnreadableDocumentError, match=r"more memory|crashed the process"):
            reader.read("page.html", "html", b"<p>" + b"zebra " * 8_000_000)
        assert reader.read("page.html", "html", b"<p>zebra</p>") == ("", "zebra")
    finally:
        reader.end()


async def test_a_file_that_crashes_the_reading_process_is_reported_and_the_next_one_is_read(
    reader: ReadingProcess,
) -> None:
    reader.read("page.html", "html", b"<p>zebra</p>")
    process = reader._process
    assert process is not None
    process.send_signal(signal.SIGSEGV)
    await until(lambda: process.poll() is not None)
    with pytest.raises(UnreadableDocumentError, match="crashed the process"):
        reader.read("page.html", "html", b"<p>zebra</p>")
    assert reader.read("page.html", "html", b"<p>zebra</p>") == ("", "zebra")


def test_reading_a_file_that_keeps_growing_stops_at_the_limit(tmp_path: Path) -> None:
    # /dev/zero has a size of 0 and no end; nobody ingests it, but a log that is written to is much the same.
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    (error,) = read(FoundFile(tmp_path / "zero.txt", "zero.txt", tmp_path))
    assert "the limit is" in str(error)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def _deep(folder: Path) -> None:
    place = os.open(folder, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a", dir_fd=place)
        inner = os.open("a", os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = inner
    file = os.open("deep.md", os.O_CREAT | os.O_WRONLY, dir_fd=place)
    os.write(file, b"tiger")
    os.close(file)
    os.close(place)


async def test_no_file_folder_or_name_ends_an_ingest_or_keeps_others_from_being_read(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("a.md", "z.md"):
        (docs / name).write_text("# Zebras\n\nzebra " + name)
    for n, ending in enumerate(FORMS):
        (docs / f"noise-{n}{ending}").write_bytes(bytes(range(256)) * 8)
    (docs / "start.html").write_text("<ol start='½'><li>tiger</ol>")
    (docs / "broken.html").write_text("<![foo[")
    (docs / "half.html").write_text("<p>&#xD800; &#27;[2J tiger</p>")
    (docs / "loop.md").symlink_to(docs / "loop.md")
    (docs / "self").symlink_to(docs / "self")
    (docs / "line\n\x1b[31mend.md").write_text("tiger")
    Path(os.fsdecode(os.fsencode(docs) + b"/caf\xe9.md")).write_text("tiger")
    _deep(docs)
    try:
        with Index(tmp_path / "index") as index:
            report = await ingest([docs], index, {"hashing": HashingEmbedder(32)})
            held = {document.id for document in _documents(index)}
    finally:
        subprocess.run(["rm", "-rf", str(docs / "a")], check=True)
    assert {"a.md", "z.md", "half.html", "start.html", "line  [31mend.md"} <= held
    assert any(name.endswith("/deep.md") for name in held)
    refused = {error.document.rsplit("/", 1)[-1] for error in report.unreadable}
    assert {"broken.html", "caf\\xe9.md"} <= refused
    assert report.added == len(held)
    shutil.rmtree(docs)


def _documents(index: Index) -> list[IndexedDocument]:
    with index.writer() as writer:
        return list(writer.documents())


def test_a_pathological_heading_is_read_quickly(folder: Path) -> None:
    (document,) = results(folder, "heading.md", b"# " + b"#" * 20_000 + b" x " * 20_000)
    assert isinstance(document, Document)
