"""Arbitrary bytes: every file yields text or a reason, in bounded time and memory, and affects no other file."""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ha_rag.components.embedders.hashing import HashingEmbedder
from ha_rag.errors import UnreadableDocumentError
from ha_rag.index import Document, Index, ingest
from ha_rag.index.indexed_documents import IndexedDocument
from ha_rag.index.reading import sandbox
from ha_rag.index.reading.blobs import without_blobs
from ha_rag.index.reading.decoding import tidy
from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.files import Read, ReadingNotice, read
from ha_rag.index.reading.kinds import FORMS
from ha_rag.index.reading.sandbox import ReadingProcess
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.splitting import split
from tests.index.office_files import docx, epub, ods, odt, paragraph, pptx, word_table, xlsx, zipped
from tests.index.pdfs import long_pdf, pdf
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


def results(folder: Path, name: str, data: bytes) -> list[Read]:
    """What reading says, each looked at: texts can be stored, shown and split, reasons are short sentences."""
    (folder / name).write_bytes(data)
    told = list(read(FoundFile(folder / name, name, folder)))
    for one in told:
        if isinstance(one, UnreadableDocumentError):
            assert one.document.startswith(name)
            assert one.why
            assert len(str(one)) < 500
            assert "\n" not in str(one)
            assert "crashed the process" not in one.why  # an exception that no reader foresaw
        elif isinstance(one, ReadingNotice):
            assert one.what
            assert len(str(one)) < 500
            assert "\n" not in str(one)
        else:
            assert not set(UNFIT) & set(one.text + one.title + one.id)
            (one.text + one.title + one.id + one.digest + one.source).encode()
            split(one)
    return told


def documents(told: list[Read]) -> list[Document | UnreadableDocumentError]:
    """Without what is only said of them."""
    return [one for one in told if not isinstance(one, ReadingNotice)]


def html(data: bytes) -> RawFile:
    return RawFile(name="page.html", data=data)


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
    assert 1 <= len(documents(results(folder, "page.html", data))) <= 2


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
    assert 1 <= len(documents(results(folder, "paper.pdf", data))) <= 3


PACKAGES = {
    "a.docx": docx(paragraph("Zebras", "H1") + word_table([["Name", "City"], ["Anna", "Ulm"]]), title="T"),
    "a.pptx": pptx(),
    "a.xlsx": xlsx({"S": [["Name", "City"], ["Anna", "Ulm"]]}),
    "a.ods": ods([["Name", "City"], ["Anna", "Ulm"]]),
    "a.odt": odt(),
    "a.epub": epub({"1.xhtml": "<p>zebra</p>"}),
}


@st.composite
def broken_packages(draw: st.DrawFn) -> tuple[str, bytes]:
    """A package with damage in a part of it, or in the archive itself."""
    name = draw(st.sampled_from(sorted(PACKAGES)))
    if draw(st.booleans()):
        data = bytearray(PACKAGES[name])
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 40))] = draw(st.binary(max_size=8))
        return name, bytes(data)
    with zipfile.ZipFile(io.BytesIO(PACKAGES[name])) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    broken = draw(st.sampled_from(sorted(parts)))
    content = parts[broken]
    at = draw(st.integers(0, len(content)))
    piece = draw(st.binary(max_size=8) | st.sampled_from([b"<a>", b"</a>", b"&x;", b"<w:t>", b"\0", b"9" * 40, b"-1"]))
    parts[broken] = content[:at] + piece + content[at + draw(st.integers(0, 40)) :]
    if draw(st.integers(0, 5)) == 0:
        del parts[broken]
    return name, zipped(parts)


@settings(max_examples=250, deadline=None)
@given(broken_packages())
def test_no_damage_to_a_package_raises_an_unexpected_error(folder, package):
    name, data = package
    assert documents(results(folder, name, data))


markup = st.lists(
    st.sampled_from(
        ["# ", "=", "-", "*", "|", "+--+", "::", ".. ", "   ", "\n", "\n\n", "```", "---\n", "![", "](", "a", "zebra",
         ":x: ", "`", "<", "{", "}", '"', ",", ";", "\t", "[", "]", "- ", "|===", "#+", "* - "]
    ),
    max_size=30,
).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(markup, st.sampled_from(sorted({ending for ending, form in FORMS.items() if form != "jsonl"})))
def test_any_markup_is_read_or_refused(folder, text, ending):
    results(folder, f"any{ending}", text.encode())


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=20, max_size=200), st.sampled_from(["utf-8", "utf-16", "cp1252", "cp932", "gb18030", "koi8-r"]))
def test_text_in_any_encoding_is_read_or_refused_but_utf_8_is_never_mistaken(folder, text, encoding):
    told = documents(results(folder, "any.txt", text.encode(encoding, "ignore")))
    if encoding == "utf-8" and isinstance(told[0], Document):
        assert told[0].text == without_blobs(tidy(text.encode(encoding, "ignore").decode()))[0]


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
    spanning = any(":item" in str(one) or "no documents" in str(one) for one in told)
    if not spanning and not data.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 has other line ends
        assert len(documents(told)) == len(wanted)


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
        with pytest.raises(UnreadableDocumentError, match="more than 1 s of CPU time"):
            reader.read("pdf", RawFile(name="paper.pdf", data=long_pdf(2_000_000)))
        assert reader.read("html", html(b"<p>zebra</p>")).text == "zebra"
    finally:
        reader.end()


def test_a_page_that_takes_too_much_memory_is_refused_and_the_next_one_is_read() -> None:
    reader = ReadingProcess(memory_bytes=250_000_000)
    try:
        with pytest.raises(UnreadableDocumentError, match=r"more memory|crashed the process"):
            reader.read("html", html(b"<p>" + b"zebra " * 8_000_000))
        assert reader.read("html", html(b"<p>zebra</p>")).text == "zebra"
    finally:
        reader.end()


async def test_a_reading_process_that_has_crashed_before_is_started_again_and_the_file_is_read(
    reader: ReadingProcess,
) -> None:
    reader.read("html", html(b"<p>zebra</p>"))
    process = reader._process
    assert process is not None
    process.send_signal(signal.SIGSEGV)
    await until(lambda: process.poll() is not None)
    assert reader.read("html", html(b"<p>zebra</p>")).text == "zebra"


ENDS = {
    "a crash": ("os.kill(os.getpid(), signal.SIGSEGV)", "crashed the process", False),
    "too much time": ("os.kill(os.getpid(), signal.SIGXCPU)", "s of CPU time", False),
    "a machine without memory": ("os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9", True),
    "an installation that cannot start it": ("sys.exit(1)", "ended with exit code 1", True),
}


@pytest.mark.parametrize("how", ENDS)
def test_a_reading_process_that_ends_says_whether_the_file_is_to_blame(reader, monkeypatch, how) -> None:
    program, why, transient = ENDS[how]

    def start() -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", f"import os, signal, sys; {program}"]
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    monkeypatch.setattr(sandbox, "_start", start)
    with pytest.raises(UnreadableDocumentError, match=why) as caught:
        reader.read("html", html(b"<p>zebra</p>"))
    assert caught.value.transient is transient


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
