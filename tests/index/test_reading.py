"""Reading files: each format yields its title and text; unreadable ones are reported with a reason."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from ha_rag.errors import ConfigurationError, UnreadableDocumentError
from ha_rag.index import Document, ReadingLimits, Splitting
from ha_rag.index.reading.decoding import decoded, tidy
from ha_rag.index.reading.extract import RawFile
from ha_rag.index.reading.files import DEFAULT_LIMITS, Read, read
from ha_rag.index.reading.walking import FoundFile, PassedOver, Unreached, walk
from tests.index.pdfs import pdf
from tests.index.places import write_files


def _read(folder: Path, name: str, content: str | bytes, limits: ReadingLimits = DEFAULT_LIMITS) -> list[Read]:
    write_files(folder, {name: content})
    return list(read(FoundFile(folder / name, name, folder), limits))


def _one(folder: Path, name: str, content: str | bytes) -> Document:
    (document,) = _read(folder, name, content)
    assert isinstance(document, Document), document
    return document


def _why(folder: Path, name: str, content: str | bytes, limits: ReadingLimits = DEFAULT_LIMITS) -> str:
    (error,) = _read(folder, name, content, limits)
    assert isinstance(error, UnreadableDocumentError)
    assert error.document.startswith(name)
    return error.why


def test_text_has_its_file_s_name_as_title(tmp_path: Path) -> None:
    document = _one(tmp_path, "notes.txt", "Zebras graze.\r\nLions sleep.")
    assert (document.id, document.title, document.markdown) == ("notes.txt", "notes", False)
    assert document.text == "Zebras graze.\nLions sleep."
    assert document.source == str(tmp_path / "notes.txt")


def test_markdown_has_its_first_heading_as_title(tmp_path: Path) -> None:
    document = _one(tmp_path, "guide.md", "# The guide\n\nText.")
    assert (document.title, document.markdown) == ("The guide", True)


def test_html_becomes_markdown_without_scripts_and_styles(tmp_path: Path) -> None:
    page = """<html><head><title>The
        page</title><style>p {color: red}</style></head><body><nav>menu</nav>
        <h1>Top</h1><p>Zebras &amp; <b>lions</b></p>
        <script>alert("x")</script><h2>Below</h2><ul><li>one</li></ul><template>hidden</template></body></html>"""
    document = _one(tmp_path, "page.html", page)
    assert (document.title, document.markdown) == ("The page", True)
    assert "# Top" in document.text
    assert "## Below" in document.text
    assert "Zebras & lions" in document.text
    assert not any(word in document.text for word in ("alert", "color", "hidden", "menu", "<"))


def test_broken_html_is_read_as_far_as_possible(tmp_path: Path) -> None:
    assert "zebra" in _one(tmp_path, "page.htm", "<div><p>zebra <b>lion</div></table><td").text


@pytest.mark.parametrize(
    "page", ["zebra.html", "https://example.com/zebra", '<?xml version="1.0"?><html><p>zebra</p></html>']
)
def test_html_that_looks_like_something_else_is_read_as_html(tmp_path: Path, page: str) -> None:
    text = _one(tmp_path, "page.xhtml", page).text
    assert "zebra" in text
    assert "doctype" not in text
    assert "xml" not in text


def test_deeply_nested_html_is_read_or_refused_without_a_crash(tmp_path: Path) -> None:
    (result,) = _read(tmp_path, "deep.html", "<div>" * 50_000 + "zebra")
    assert isinstance(result, Document | UnreadableDocumentError)


def test_the_text_of_a_pdf_is_that_of_its_pages(tmp_path: Path) -> None:
    document = _one(tmp_path, "paper.pdf", pdf("Zebras graze", "Lions sleep", title="On animals"))
    assert document.title == "On animals"
    assert document.text == "Zebras graze\n\nLions sleep"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello, I am text", "not a PDF"),
        (b"", "contains no text"),
        (b"%PDF-1.7\nrubbish", "damaged"),
        (pdf("Zebras graze")[:200], "damaged"),
        (pdf(""), "no text"),
        (pdf("secret", password="open sesame"), "protected by a password"),
    ],
    ids=["text", "empty", "rubbish", "cut short", "only images", "protected"],
)
def test_an_unusable_pdf_is_reported_with_the_reason(tmp_path: Path, content: bytes, why: str) -> None:
    assert why in _why(tmp_path, "paper.pdf", content)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-1"])
def test_text_in_other_encodings_is_read(encoding: str) -> None:
    text = "Die Straße führt über die Brücke. Größe, Äpfel und Öl gehören dazu; später müssen wir zurück. " * 3
    assert decoded(RawFile(name="a", data=text.encode(encoding))).text == text


@pytest.mark.parametrize(
    "data",
    [
        bytes(range(256)) * 20,
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + os.urandom(500),
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf\xff\xff",
    ],
    ids=["all bytes", "an image", "a truncated character", "a wrong byte order mark"],
)
def test_binary_data_is_refused(data: bytes) -> None:
    with pytest.raises(UnreadableDocumentError, match=r"binary data|is not valid utf-|encoding"):
        decoded(RawFile(name="a", data=data))


def test_control_characters_and_lone_surrogates_become_spaces() -> None:
    assert tidy("a\x00b\x1bc\ud800d\te\r\nf") == "a b c d\te\nf"


@pytest.mark.parametrize("content", ["", "  \n\t ", "--- ...", "\ufeff"])
def test_a_document_without_text_is_reported(tmp_path: Path, content: str) -> None:
    assert _why(tmp_path, "empty.txt", content) == "contains no text"


def test_a_file_over_the_limit_is_reported_with_both_sizes(tmp_path: Path) -> None:
    why = _why(tmp_path, "big.txt", "x" * 2000, ReadingLimits(file_bytes=1000))
    assert why == "has 2,000 bytes; the limit is 1,000"


def test_a_limit_below_one_byte_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="file_bytes = 0"):
        ReadingLimits(file_bytes=0)


@pytest.mark.parametrize("name", ["photo.png", "old.doc", "data.xyz"])
def test_a_file_that_was_named_but_cannot_be_read_is_reported(tmp_path: Path, name: str) -> None:
    assert "supported are text and .txt" in _why(tmp_path, name, b"\x00\x01")


def test_a_file_that_vanished_is_reported(tmp_path: Path) -> None:
    (error,) = read(FoundFile(tmp_path / "gone.txt", "gone.txt", tmp_path))
    assert isinstance(error, UnreadableDocumentError)


def test_json_lines_are_one_document_each(tmp_path: Path) -> None:
    lines = '{"_id": "7", "title": "On zebras", "text": "They graze.", "year": 1969}\n\n{"_id": 8, "text": "Lions."}\n'
    first, second = _read(tmp_path, "corpus.jsonl", lines)
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.id, first.title, first.text, first.metadata) == ("7", "On zebras", "They graze.", {"year": 1969})
    assert (second.id, second.title) == ("8", "")
    assert first.source.endswith("corpus.jsonl#7")


def test_a_line_with_a_title_only_is_found_by_it(tmp_path: Path) -> None:
    assert _one(tmp_path, "corpus.jsonl", '{"_id": "7", "title": "On zebras", "text": ""}').text == "On zebras"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"_id": "7", "text": ', "not JSON"),
        ("[1, 2]", "not a JSON object"),
        ('{"text": "x"}', 'no "_id"'),
        ('{"_id": true, "text": "x"}', 'no "_id"'),
        ('{"_id": "7", "text": 5}', "must be strings"),
        ('{"_id": "7", "text": " "}', "no text"),
        ("[" * 100_000, "not JSON"),
        (b'{"_id": "7", "text": "\1\2\3"}', "binary data"),
    ],
)
def test_an_invalid_line_is_reported_by_number_and_the_others_are_read(
    tmp_path: Path, line: str | bytes, why: str
) -> None:
    data = line if isinstance(line, bytes) else line.encode()
    error, document = _read(tmp_path, "corpus.jsonl", data + b'\n{"_id": "9", "text": "fine"}\n')
    assert isinstance(error, UnreadableDocumentError)
    assert error.document == "corpus.jsonl:1"
    assert why in error.why
    assert isinstance(document, Document)


def test_a_line_over_the_limit_ends_the_file(tmp_path: Path) -> None:
    lines = '{"_id": "1", "text": "fine"}\n' + "x" * 500 + '\n{"_id": "2", "text": "fine"}\n'
    first, error = _read(tmp_path, "corpus.jsonl", lines, ReadingLimits(file_bytes=100))
    assert isinstance(first, Document)
    assert "longer than 100 bytes" in str(error)


def test_the_digest_depends_on_text_title_and_splitting(tmp_path: Path) -> None:
    same = {_one(tmp_path, "a.txt", "zebra").digest for _ in range(2)}
    assert len(same) == 1
    write_files(tmp_path, {"a.txt": "zebra"})
    (other,) = read(FoundFile(tmp_path / "a.txt", "a.txt", tmp_path), ReadingLimits(), Splitting(max_tokens=100))
    assert isinstance(other, Document)
    assert {other.digest, _one(tmp_path, "a.txt", "lion").digest}.isdisjoint(same)


def _names(path: Path) -> list[str]:
    return [found.name for found in walk(path) if isinstance(found, FoundFile)]


def _passed_over(path: Path) -> dict[str, str]:
    return {found.name: found.kind for found in walk(path) if isinstance(found, PassedOver)}


def test_a_folder_is_walked_in_order_without_hidden_and_unsupported_files(tmp_path: Path) -> None:
    names = ["b.md", "a/z.txt", ".hidden.md", ".git/config.md", "picture.png", "UPPER.PDF", "README", "main.py"]
    write_files(tmp_path, dict.fromkeys(names, "x"))
    write_files(tmp_path, {"data.xyz": b"\x00\x01", "empty.conf": ""})
    assert _names(tmp_path) == ["README", "UPPER.PDF", "a/z.txt", "b.md", "main.py"]
    assert _passed_over(tmp_path) == {
        ".git": "hidden, a cache or a dependency",
        ".hidden.md": "hidden, a cache or a dependency",
        "data.xyz": ".xyz",
        "empty.conf": ".conf",
        "picture.png": ".png",
    }


def test_what_ignore_files_and_caches_name_is_left_out(tmp_path: Path) -> None:
    write_files(
        tmp_path,
        {
            ".gitignore": "drafts/\n*.log\n!keep.log\n/top.md\n",
            "sub/.haragignore": "private*\n!*.log\n",
            "drafts/a.md": "x", "node_modules/p/readme.md": "x", "__pycache__/a.txt": "x", "~$open.docx": "x",
            "top.md": "x", "sub/top.md": "x", "run.log": "x", "keep.log": "x", "sub/run.log": "x",
            "sub/private.md": "x", "private.md": "x",
        },
    )  # fmt: skip
    assert _names(tmp_path) == ["keep.log", "private.md", "sub/run.log", "sub/top.md"]
    ignored = [name for name, why in _passed_over(tmp_path).items() if why == "ignored"]
    assert ignored == ["drafts", "run.log", "sub/private.md", "top.md"]


def test_a_file_that_was_named_is_read_although_it_is_ignored(tmp_path: Path) -> None:
    write_files(tmp_path, {".gitignore": "*.md\n", "a.md": "x"})
    assert _names(tmp_path / "a.md") == ["a.md"]


def test_a_single_file_is_named_without_its_folder(tmp_path: Path) -> None:
    write_files(tmp_path, {"a/z.txt": "x"})
    assert _names(tmp_path / "a" / "z.txt") == ["z.txt"]


def test_link_cycles_end_and_linked_folders_are_read(tmp_path: Path) -> None:
    write_files(tmp_path, {"docs/a.md": "x", "elsewhere/b.md": "x"})
    (tmp_path / "docs" / "self").symlink_to(tmp_path / "docs")
    (tmp_path / "docs" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "docs" / "dead.md").symlink_to(tmp_path / "nowhere.md")
    assert _names(tmp_path / "docs") == ["a.md", "more/b.md"]


def test_what_is_neither_a_file_nor_a_folder_is_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.relpath(tmp_path / "socket.txt"))  # the path of a socket is limited to 108 bytes
    (tmp_path / "dangling.md").symlink_to("nowhere")
    (tmp_path / "loop.md").symlink_to("loop.md")
    (tmp_path / "zero.md").symlink_to("/dev/zero")
    assert _names(tmp_path) == []
    assert _passed_over(tmp_path) == {
        "pipe.txt": "pipe",
        "socket.txt": "socket",
        "dangling.md": "link to nothing",
        "loop.md": "link to nothing",
        "zero.md": "device",
    }
    (error,) = (found.error for found in walk(tmp_path / "pipe.txt") if isinstance(found, Unreached))
    assert error.why == "is a pipe, not a file"


@pytest.mark.parametrize("ending", sorted({".md", ".pdf", ".docx", ".json", ".csv", ".html"}))
def test_an_empty_file_of_any_kind_is_said_to_be_empty(tmp_path: Path, ending: str) -> None:
    write_files(tmp_path, {f"a{ending}": b""})
    (error,) = read(FoundFile(tmp_path / f"a{ending}", f"a{ending}", tmp_path))
    assert str(error) == f"a{ending}: contains no text"


def test_a_missing_path_is_reported(tmp_path: Path) -> None:
    (error,) = (found.error for found in walk(tmp_path / "nowhere") if isinstance(found, Unreached))
    assert "no such file or folder" in str(error)
