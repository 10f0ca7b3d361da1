"""`ha-rag ingest`: what it says of what it did."""

from __future__ import annotations

from ha_rag.cli.ingest import summary
from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.report import IngestReport, SpaceReport
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
