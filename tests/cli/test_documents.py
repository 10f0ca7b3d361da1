"""`ha-rag documents` and `ha-rag forget`: what is in the index, without a server."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from ha_rag.cli.document_table import document_table, moment, reasons
from ha_rag.index import IndexWriter
from ha_rag.index.listed import ListedDocument
from ha_rag.index.schema import DATABASE
from ha_rag.messages import Space
from tests.hostile_text import HOSTILE

SPACE = Space("m", "1", 8)


@pytest.fixture
def handbook(run, own_folder: Path) -> Path:
    """Two documents in the index of this folder."""
    docs = own_folder / "docs"
    docs.mkdir()
    (docs / "a.md").write_text("# Zebras\n\nThey graze.\n")
    (docs / "b.txt").write_text("Owls hoot.")
    run("ingest", "docs")
    return docs


def listed(name: str, **more: object) -> ListedDocument:
    fields = {"title": "T", "origin": "file", "source": f"/d/{name}", "state": "searchable", "reason": "",
              "passages": 3, "vectors": {SPACE: 3}, "indexed_ms": 0}  # fmt: skip
    return ListedDocument(id=name, **{**fields, **more})  # type: ignore[arg-type]  # a table of any values


def printed(documents: list[ListedDocument], width: int) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as captured:
        console.print(document_table(documents, width))
    return captured.get()


def test_documents_are_listed_in_a_table_and_counted(run, handbook):
    lines = run("documents").stdout.splitlines()

    assert lines[0].split() == ["document", "title", "state", "passages", "vectors", "from", "indexed", "source"]
    assert lines[1].split()[:4] == ["a.md", "Zebras", "searchable", "1"]
    assert str(handbook / "a.md") in lines[1]
    assert lines[2].startswith("b.txt")
    assert lines[3:] == ["2 documents"]


def test_json_has_everything(run, handbook):
    reply = json.loads(run("documents", "--json").stdout)

    assert reply["total"] == 2
    assert [one["id"] for one in reply["documents"]] == ["a.md", "b.txt"]
    assert reply["documents"][0]["vectors"] == {"wordllama-l2-supercat@1/256": 1, "hashing@1/256": 1}
    assert reply["documents"][0]["source"] == str(handbook / "a.md")
    assert reply["documents"][0]["indexed_at"] > 1_700_000_000


@pytest.mark.parametrize(
    ("options", "names", "counted"),
    [
        (["--words", "ZEBRAS"], ["a.md"], "1 of 2 documents"),
        (["--words", "zebras owls"], [], "0 of 2 documents"),
        (["--state", "waiting"], [], "0 of 2 documents"),
        (["--from", "http"], [], "0 of 2 documents"),
        (["--from", "file", "--state", "searchable"], ["a.md", "b.txt"], "2 documents"),
        (["list", "--words", "docs"], ["a.md", "b.txt"], "2 documents"),
    ],
)
def test_documents_are_filtered(run, handbook, options, names, counted):
    result = run("documents", *options)

    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == counted
    assert [line.split()[0] for line in result.stdout.splitlines()[1:-1]] == names


def test_a_document_is_shown_with_its_metadata_and_passages(run, own_folder):
    (own_folder / "a.md").write_text("---\nauthor: Anna\n---\n# Zebras\n\nThey graze.\n\n## Sleep\n\nStanding up.\n")
    run("ingest", "a.md")

    words = " ".join(run("documents", "show", "a.md").stdout.split())
    reply = json.loads(run("documents", "show", "a.md", "--json").stdout)

    assert "author Anna" in words
    assert "a.md#0 Zebras" in words
    assert "They graze." in words
    assert reply["metadata"] == {"author": "Anna"}
    assert reply["next"] is None
    assert "Standing up." in "".join(one["text"] for one in reply["texts"])


def test_an_unknown_document_is_an_error(run, handbook):
    result = run("documents", "show", "c.md")

    assert result.exit_code == 1
    assert result.stderr == "ha-rag: there is no document 'c.md' (`ha-rag documents` lists the ids)\n"


@pytest.mark.parametrize("words", [["show"], ["list", "a.md"], ["--state", "lost"], ["--from", "mars"], ["a.md"]])
def test_what_makes_no_sense_is_a_usage_error(run, words):
    assert run("documents", *words).exit_code == 2


def test_without_an_index_nothing_is_listed_and_no_folder_made(run, own_folder):
    assert run("documents").stdout == "no documents yet; `ha-rag ingest PATH` reads some\n"
    assert json.loads(run("documents", "--json").stdout) == {"documents": [], "total": 0}
    assert not (own_folder / ".ha_rag").exists()


def test_damage_is_told_with_its_remedy(run, own_folder, handbook):
    with closing(sqlite3.connect(own_folder / ".ha_rag" / DATABASE, isolation_level=None)) as database:
        database.execute("UPDATE passages SET text = 'forged' WHERE document = 'a.md'")

    result = run("documents", "--state", "damaged")

    assert "a.md: damaged: 1 passage; `ha-rag ingest` of what it was read from mends it" in result.stdout


def test_the_table_fits_80_columns_with_any_name():
    documents = [listed("x" * 300, state="waiting"), listed("日本語" * 30), listed("a b " * 40), listed("ok")]

    lines = printed(documents, 80).splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["document", "state", "passages", "from", "indexed"]
    assert lines[-1].split()[:3] == ["ok", "searchable", "3"]


@pytest.mark.parametrize("width", [80, 500])
def test_hostile_names_change_nothing_around_them(width):
    out = printed([listed(HOSTILE, title=HOSTILE, source=HOSTILE), listed("ok")], width)

    assert all(line.isprintable() for line in out.split("\n"))
    assert out.splitlines()[-1].startswith("ok")


def test_only_the_first_reasons_are_told():
    told = reasons([listed(f"{n}", reason="why") for n in range(13)])

    assert (told[0], told[-1], len(told)) == ("0: why", "and 3 more; --json has all", 11)


@pytest.mark.parametrize("unix_ms", [None, 10**30, -(10**30)])
def test_a_time_that_is_none_is_shown_as_nothing(unix_ms):
    assert moment(unix_ms) == ""


# ---- forget ---------------------------------------------------------------------------------------------------------


def remaining(run) -> list[str]:
    return [one["id"] for one in json.loads(run("documents", "--json").stdout)["documents"]]


def test_forgotten_documents_are_gone_and_a_file_that_is_still_there_is_named(run, handbook):
    (handbook / "b.txt").unlink()

    result = run("forget", "a.md", "b.txt")

    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"removed: a.md; its file {handbook / 'a.md'} is still there, and the next ingest of it brings the document "
        "back: delete it, or name it in .haragignore",
        "removed: b.txt",
    ]
    assert remaining(run) == []
    run("ingest", "docs")
    assert remaining(run) == ["a.md"]


def test_forget_tells_programs_the_same(run, handbook):
    reply = json.loads(run("forget", "b.txt", "--json").stdout)

    assert reply == {"removed": [{"document": "b.txt", "file": str(handbook / "b.txt")}]}


def test_one_unknown_id_and_nothing_is_forgotten(run, handbook):
    result = run("forget", "a.md", "b.tx", "\udcff")

    assert result.exit_code == 1
    assert "there is no document 'b.tx', perhaps 'b.txt'" in result.stderr
    assert result.stderr.endswith("nothing was removed\n")
    assert result.stdout == ""
    assert remaining(run) == ["a.md", "b.txt"]


def test_nothing_is_forgotten_while_another_process_writes(run, own_folder, handbook):
    with IndexWriter(own_folder / ".ha_rag"):
        result = run("forget", "a.md")

    assert result.exit_code == 1
    assert "is writing to the index" in result.stderr
    assert remaining(run) == ["a.md", "b.txt"]


def test_forget_needs_an_id(run):
    assert run("forget").exit_code == 2
