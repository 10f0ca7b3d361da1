"""`ha-rag ingest`: what it says of what it did."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest
from typer.testing import CliRunner

from ha_rag.cli.app import app
from ha_rag.cli.ingest_summary import summary
from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.report import IngestReport, SpaceReport
from ha_rag.index.schema import DATABASE
from ha_rag.messages import Space


def test_documents_are_taken_in_and_counted(run, own_folder):
    (own_folder / "docs").mkdir()
    (own_folder / "docs" / "a.md").write_text("# A\n\nOne text.")
    (own_folder / "docs" / "b.txt").write_text("Another text.")

    first, second = run("ingest", "docs"), run("ingest", "docs")

    assert first.stdout == "2 documents: 2 new, 0 changed, 0 unchanged; 2 passages written\n"
    assert second.stdout == "2 documents: 0 new, 0 changed, 2 unchanged; 0 passages written\n"


def test_what_cannot_be_read_is_told_and_the_rest_is_kept(run, own_folder):
    (own_folder / "good.md").write_text("A text.")
    (own_folder / "bad.pdf").write_bytes(b"this is no PDF")

    result = run("ingest", "good.md", "bad.pdf", "nowhere.md")

    assert result.exit_code == 1
    assert "1 document: 1 new" in result.stdout
    assert "not read: bad.pdf" in result.stdout
    assert "not read: nowhere.md: no such file or folder" in result.stdout


def test_vectors_that_are_missing_are_told_with_the_reason():
    space = SpaceReport(embedder="primary", space=Space("m", "", 8), filled=0, missing=4, why="connection refused")

    lines = summary(IngestReport(added=2, passages=4, spaces=(space,)))

    assert lines[1] == (
        "embedder primary: 4 passages without a vector (connection refused); the next ingest fills them"
    )


def test_a_thousand_unreadable_documents_are_not_all_listed():
    errors = tuple(UnreadableDocumentError(f"{n}.pdf", "is no PDF") for n in range(1000))

    assert summary(IngestReport(unreadable=errors))[-1] == "and 980 more were not read"


def test_nothing_to_ingest_is_a_usage_error(run):
    assert run("ingest").exit_code == 2


def test_a_document_that_was_damaged_in_the_index_is_read_again_or_named(run, own_folder):
    (own_folder / "docs").mkdir()
    (own_folder / "docs" / "a.txt").write_text("Zebras graze.")
    (own_folder / "other.txt").write_text("Lions sleep.")
    run("ingest", "docs")
    with closing(sqlite3.connect(own_folder / ".ha_rag" / DATABASE, isolation_level=None)) as database:
        database.execute("UPDATE passages SET text = 'Zebras grave.'")

    told, named, mended = run("check"), run("ingest", "other.txt"), run("ingest", "docs")

    assert told.exit_code == 1
    assert "a passage of 'a.txt' does not match its checksum" in " ".join(told.stdout.split())
    assert named.exit_code == 1
    assert "damaged in the index: a.txt; ingest again what they were read from" in named.stdout
    assert mended.exit_code == 0
    assert "1 were damaged in the index and have been read again" in mended.stdout
    assert run("ingest", "docs").stdout == "1 document: 0 new, 0 changed, 1 unchanged; 0 passages written\n"


def test_skipped_kinds_are_told_in_one_line_and_are_no_failure(run, own_folder):
    (own_folder / "docs").mkdir()
    (own_folder / "docs" / "a.md").write_text("One text.")
    for name in ("data.xyz", "a.zip", "b.zip", "photo.jpg"):
        (own_folder / "docs" / name).write_bytes(b"PK\0\1")

    result = run("ingest", "docs")

    assert result.exit_code == 0
    assert result.stdout.splitlines()[1:] == [
        "skipped, since their kind is not read: 2 .zip, 1 .xyz, 1 .jpg (a.zip, b.zip, data.xyz, photo.jpg)"
    ]


def test_ten_skipped_files_are_named_and_the_others_counted(run, own_folder):
    (own_folder / "docs").mkdir()
    for number in range(12):
        (own_folder / "docs" / f"{number:02}.png").write_bytes(b"")

    said = run("ingest", "docs").stdout.splitlines()[-1]

    assert "12 .png (00.png, " in said
    assert said.endswith("09.png and 2 more)")


def test_what_is_left_out_is_named_when_asked_for(run, own_folder):
    (own_folder / "docs" / "node_modules").mkdir(parents=True)
    (own_folder / "docs" / ".gitignore").write_text("private.md")
    for name in ("a.md", "private.md", "node_modules/b.md"):
        (own_folder / "docs" / name).write_text("A text.")

    quiet, verbose = run("ingest", "docs"), run("ingest", "docs", "--verbose")

    assert "left out" not in quiet.stdout
    assert "left out: private.md (ignored)" in verbose.stdout
    assert "left out: node_modules (hidden, a cache or a dependency)" in verbose.stdout
    assert verbose.exit_code == 0


def test_json_has_every_file_that_was_skipped_not_read_or_doubtful(run, own_folder):
    (own_folder / "docs").mkdir()
    (own_folder / "docs" / "a.md").write_bytes("Größe, Maß, Öl und Äpfel".encode() + b" \x92")
    (own_folder / "docs" / "bad.pdf").write_bytes(b"this is no PDF")
    for number in range(12):
        (own_folder / "docs" / f"{number:02}.png").write_bytes(b"")

    result = run("ingest", "docs", "--json")
    report = json.loads(result.stdout)

    assert result.exit_code == 1
    assert report["added"] == 1
    assert len(report["skipped"]) == 12
    assert report["not_read"] == [{"document": "bad.pdf", "why": "not a PDF, despite its name"}]
    assert report["notes"][0]["document"] == "a.md"
    assert "1 byte is not valid UTF-8" in report["notes"][0]["what"]


def test_the_encoding_of_a_doubtful_file_can_be_set(run, own_folder):
    (own_folder / "ha_rag.toml").write_text('[index]\nencoding = "shift_jis"\n')
    (own_folder / "a.txt").write_bytes("ｱｲｳ".encode("shift_jis"))

    assert run("ingest", "a.txt").stdout.splitlines()[1:] == []


def test_an_encoding_that_does_not_exist_is_refused(run, own_folder):
    (own_folder / "ha_rag.toml").write_text('[index]\nencoding = "klingon"\n')

    result = run("ingest", "a.txt")

    assert result.exit_code != 0
    assert "encoding" in result.output


@pytest.fixture
def docs(run, own_folder):
    """A folder of two files that are indexed."""
    folder = own_folder / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("Zebras graze.")
    (folder / "b.txt").write_text("Lions sleep.")
    run("ingest", "docs")
    return folder


def test_what_is_taken_out_is_told_with_the_reason(run, docs):
    (docs / "a.md").write_text("")

    result = run("ingest", "docs")

    assert result.exit_code == 1
    assert "taken out of the index: a.md: contains no text" in result.stdout
    assert "not read: a.md: contains no text" in result.stdout


def test_a_mirror_tells_what_it_took_out(run, docs):
    (docs / "a.md").unlink()

    result = run("ingest", "--mirror", "docs")

    assert result.exit_code == 0
    assert "taken out of the index: a.md: its file is gone" in result.stdout


def test_a_mirror_of_an_empty_folder_removes_nothing_until_it_is_told_to(run, docs):
    for file in docs.iterdir():
        file.unlink()

    refused, as_json = run("ingest", "--mirror", "docs"), run("ingest", "--mirror", "docs", "--json")
    told = run("ingest", "--mirror", "--even-if-empty", "docs")

    assert refused.exit_code == as_json.exit_code == 1
    assert f"kept in the index: 2 documents from {docs.resolve()}, which holds nothing to read" in refused.stdout
    assert "--even-if-empty" in refused.stdout
    assert json.loads(as_json.stdout)["removed"] == 0
    assert json.loads(as_json.stdout)["kept"][0]["documents"] == ["a.md", "b.txt"]
    assert told.exit_code == 0
    assert "taken out of the index: a.md, b.txt: its file is gone" in told.stdout


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("n", 2), ("", 2)])
def test_on_a_terminal_it_asks_about_an_empty_folder(docs, monkeypatch, answer, left):
    for file in docs.iterdir():
        file.unlink()
    monkeypatch.setattr("ha_rag.cli.ingest.is_a_person", lambda: True)

    result = CliRunner().invoke(app, ["ingest", "--mirror", "docs"], input=f"{answer}\n")

    assert "Take out the 2 documents from there?" in result.output
    assert result.exit_code == (1 if left else 0)
    assert ("taken out of the index" in result.output) is (left == 0)


def test_even_if_empty_without_mirror_is_refused(run, docs):
    result = run("ingest", "--even-if-empty", "docs")

    assert result.exit_code == 2
    assert "together with --mirror" in result.output


@pytest.mark.parametrize(
    ("report", "first"),
    [
        (IngestReport(samples=53, passages=452), "53 sample documents, which make room for the first document"),
        (IngestReport(added=1, samples=53, passages=453), "1 document: 1 new, 0 changed"),
        (IngestReport(), "0 documents: 0 new, 0 changed"),
    ],
    ids=["samples alone", "with documents", "nothing"],
)
def test_samples_alone_are_what_is_said_first(report, first):
    told = summary(report)
    assert told[0].startswith(first)
    assert f"{report.passages} passages written" in told[0]
