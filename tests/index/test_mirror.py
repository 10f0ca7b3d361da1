"""An ingest that mirrors takes out what its paths no longer hold, and nothing else."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ha_rag.index import Index, IngestReport, ingest
from ha_rag.index.reading import walking
from ha_rag.index.schema import DATABASE
from ha_rag.index.single_document import add_document
from tests.index.places import found, write_files

FILES = {"a.md": "# Zebras\n\nThey graze.", "deep/b.txt": "Lions sleep.", "c.html": "<h1>Owls</h1><p>They hoot.</p>"}
WORDS = {"a.md": "zebras", "deep/b.txt": "lions", "c.html": "owls", "z.txt": "newts", "told": "bees"}


async def mirrored(index: Index, *paths: Path, even_if_empty: bool = False) -> IngestReport:
    return await ingest(paths, index, {}, mirror=True, even_if_empty=even_if_empty)


def held(index: Index) -> set[str]:
    """The documents that are found by their words."""
    return {name for name, word in WORDS.items() if found(index, word) == [name]}


def out(report: IngestReport) -> dict[str, str]:
    return {one.document: one.why for one in report.taken_out}


@pytest.fixture
async def folder(index: Index, tmp_path: Path) -> Path:
    """A folder that is indexed, beside another one and a document added over HTTP."""
    docs = write_files(tmp_path / "docs", FILES)
    other = write_files(tmp_path / "other", {"z.txt": "Newts swim."})
    await ingest([docs, other], index, {})
    await add_document(index, {}, "told", "Bees hum.", "", {})
    assert held(index) == WORDS.keys()
    return docs


async def test_a_file_that_is_gone_is_taken_out_and_nothing_else(index: Index, folder: Path) -> None:
    (folder / "a.md").unlink()
    report = await mirrored(index, folder)
    assert out(report) == {"a.md": "its file is gone"}
    assert (report.removed, report.unchanged, report.complete) == (1, 2, True)
    assert held(index) == WORDS.keys() - {"a.md"}


async def test_mirroring_one_file_leaves_all_others(index: Index, folder: Path) -> None:
    report = await mirrored(index, folder / "a.md")
    assert (report.taken_out, report.unchanged) == ((), 1)
    assert held(index) == WORDS.keys()


async def test_a_single_file_that_is_gone_is_taken_out_without_an_error(index: Index, folder: Path) -> None:
    (folder / "a.md").unlink()
    report = await mirrored(index, folder / "a.md")
    assert (out(report), report.unreadable) == ({"a.md": "its file is gone"}, ())
    assert held(index) == WORDS.keys() - {"a.md"}


async def test_a_folder_that_is_gone_below_the_given_one_is_taken_out(index: Index, folder: Path) -> None:
    shutil.rmtree(folder / "deep")
    assert out(await mirrored(index, folder)) == {"deep/b.txt": "its file is gone"}


async def test_a_path_that_never_was_is_an_error_and_takes_out_nothing(index: Index, folder: Path) -> None:
    report = await mirrored(index, folder / "dcos", folder)
    assert [error.why for error in report.unreadable] == ["no such file or folder"]
    assert held(index) == WORDS.keys()


async def test_an_unreadable_file_does_not_keep_the_others_from_being_taken_out(index: Index, folder: Path) -> None:
    (folder / "a.md").unlink()
    write_files(folder, {"bad.pdf": "no PDF"})
    report = await mirrored(index, folder)
    assert (report.removed, len(report.unreadable)) == (1, 1)
    assert held(index) == WORDS.keys() - {"a.md"}


async def test_what_could_not_be_looked_at_stays_and_the_rest_is_mirrored(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "a.md").unlink()
    look = walking._entries

    def entries(path: Path, seen: set[tuple[int, int]]) -> list[Path] | None:
        if path.name == "deep":
            raise PermissionError(13, "Permission denied")
        return look(path, seen)

    monkeypatch.setattr(walking, "_entries", entries)
    report = await mirrored(index, folder)
    assert out(report) == {"a.md": "its file is gone"}
    assert [(Path(one.place).name, one.documents, one.why) for one in report.kept] == [
        ("deep", ("deep/b.txt",), "no permission to read it")
    ]
    assert held(index) == WORDS.keys() - {"a.md"}


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


@pytest.mark.parametrize("vanish", [empty, shutil.rmtree], ids=["empty", "absent"])
async def test_a_folder_that_may_not_be_mounted_is_asked_about(index: Index, folder: Path, vanish) -> None:
    vanish(folder)
    report = await mirrored(index, folder)
    assert (report.taken_out, report.failed) == ((), True)
    assert [(set(one.documents), one.empty) for one in report.kept] == [(set(FILES), True)]
    assert held(index) == WORDS.keys()
    report = await mirrored(index, folder, even_if_empty=True)
    assert out(report) == dict.fromkeys(FILES, "its file is gone")
    assert (report.kept, report.unreadable) == ((), ())
    assert held(index) == {"z.txt", "told"}


async def test_a_folder_with_nothing_but_a_note_that_it_is_not_mounted_is_asked_about(
    index: Index, folder: Path
) -> None:
    empty(folder)
    (folder / ".not-mounted").write_text("mount it")
    assert (await mirrored(index, folder)).kept[0].empty
    assert held(index) == WORDS.keys()


async def test_one_folder_that_may_not_be_mounted_does_not_keep_another_from_being_mirrored(
    index: Index, folder: Path
) -> None:
    empty(folder.with_name("other"))
    (folder / "a.md").unlink()
    report = await mirrored(index, folder, folder.with_name("other"))
    assert out(report) == {"a.md": "its file is gone"}
    assert [one.documents for one in report.kept] == [("z.txt",)]


@pytest.mark.parametrize("vanish", [empty, shutil.rmtree], ids=["empty", "absent"])
async def test_a_link_to_a_folder_that_may_not_be_mounted_is_asked_about(index, tmp_path: Path, vanish) -> None:
    disk = write_files(tmp_path / "disk", {"a.md": "Zebras graze."})
    docs = write_files(tmp_path / "docs", {"c.html": "<p>owls</p>"})
    (docs / "share").symlink_to(disk)
    await ingest([docs], index, {})
    vanish(disk)
    report = await mirrored(index, docs)
    assert [(one.documents, one.empty) for one in report.kept] == [(("share/a.md",), True)]
    assert found(index, "zebras") == ["share/a.md"]
    assert (await mirrored(index, docs, even_if_empty=True)).removed == 1


@pytest.mark.parametrize(("number", "asked"), [(3, False), (12, True)])
async def test_an_empty_folder_below_is_asked_about_if_it_was_full(index, tmp_path: Path, number, asked) -> None:
    inner = write_files(tmp_path / "docs" / "inner", {f"{n}.txt": f"word{n}" for n in range(number)})
    write_files(tmp_path / "docs", {"a.md": "Zebras graze."})
    await ingest([tmp_path / "docs"], index, {})
    empty(inner)
    report = await mirrored(index, tmp_path / "docs")
    assert (bool(report.kept), report.removed) == (asked, 0 if asked else number)


async def test_paths_may_be_relative_given_twice_overlap_or_lead_over_links(
    index: Index, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "deep" / "b.txt").unlink()
    write_files(folder, {"deep/d.txt": "Tigers."})
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.chdir(folder.parent)
    report = await mirrored(index, Path("docs"), folder, Path("link"), Path("docs/deep"), Path("other/../docs"))
    assert (out(report), report.kept, report.added) == ({"deep/b.txt": "its file is gone"}, (), 1)


async def test_a_file_that_was_moved_within_the_folder_is_found_under_its_new_name_only(index, folder: Path) -> None:
    (folder / "a.md").rename(folder / "deep" / "A.md")
    report = await mirrored(index, folder)
    assert (report.added, out(report)) == (1, {"a.md": "its file is gone"})
    assert found(index, "zebras") == ["deep/A.md"]


async def test_a_change_of_case_alone_is_a_new_name(index: Index, folder: Path) -> None:
    (folder / "a.md").rename(folder / "A.md")
    await mirrored(index, folder)
    assert found(index, "zebras") == ["A.md"]


async def test_a_folder_that_was_renamed_keeps_its_documents_and_is_mirrored_under_its_new_name(
    index: Index, folder: Path
) -> None:
    moved = folder.rename(folder.with_name("moved"))
    report = await mirrored(index, moved)
    assert (report.unchanged, report.added, report.taken_out) == (3, 0, ())
    (moved / "a.md").unlink()
    assert out(await mirrored(index, moved)) == {"a.md": "its file is gone"}
    assert held(index) == WORDS.keys() - {"a.md"}


async def test_two_folders_with_the_same_file_do_not_lose_it_together(index: Index, tmp_path: Path) -> None:
    one, two = (write_files(tmp_path / name, {"a.md": "Zebras graze.", "b.md": "Owls."}) for name in ("one", "two"))
    await ingest([one, two], index, {})
    (one / "a.md").unlink()
    await mirrored(index, one)
    assert found(index, "zebras") == ["two/a.md"]


async def test_what_gitignore_leaves_out_now_is_taken_out(index: Index, folder: Path) -> None:
    write_files(folder, {".gitignore": "a.md\ndeep\n"})
    assert out(await mirrored(index, folder)) == dict.fromkeys(
        ("a.md", "deep/b.txt"), "its file is left out now (ignored)"
    )


async def test_an_ignored_file_that_is_given_by_its_own_name_stays(index: Index, folder: Path) -> None:
    write_files(folder, {".gitignore": "a.md\n"})
    assert (await mirrored(index, folder, folder / "a.md")).taken_out == ()


async def test_a_link_that_is_hidden_or_no_text_says_nothing_of_the_file_behind_it(index, folder: Path) -> None:
    (folder / "photo.png").symlink_to(folder.parent / "other" / "z.txt")
    (folder / ".hidden").symlink_to(folder / "deep")
    assert (await mirrored(index, folder)).taken_out == ()
    assert held(index) == WORDS.keys()


async def test_lines_and_names_with_a_hash_are_told_apart(index: Index, tmp_path: Path) -> None:
    docs = write_files(
        tmp_path / "docs", {"c#1.md": "Zebras.", "x#y.jsonl": '{"_id": "#1", "text": "owls"}', "keep.md": "Newts."}
    )
    await ingest([docs], index, {})
    assert (await mirrored(index, docs)).taken_out == ()
    (docs / "c#1.md").unlink()
    assert out(await mirrored(index, docs)) == {"c#1.md": "its file is gone"}
    (docs / "x#y.jsonl").unlink()
    assert out(await mirrored(index, docs)) == {"#1": "its file is gone"}


async def test_a_mirror_that_finds_nothing_changed_writes_nothing(index: Index, folder: Path) -> None:
    before = index.snapshot.generation
    await mirrored(index, folder)
    assert index.snapshot.generation == before


@pytest.mark.parametrize(
    "source", ["x'ff00'", "CAST(x'2fff' AS TEXT)", "7", "''"], ids=["blob", "no UTF-8", "number", "empty"]
)
async def test_a_document_whose_source_is_damaged_stays_and_stops_nothing(index, folder: Path, source: str) -> None:
    with closing(sqlite3.connect(index.folder / DATABASE)) as database, database:
        database.execute(f"UPDATE documents SET source = {source} WHERE id = 'z.txt'")
    (folder / "a.md").unlink()
    assert out(await mirrored(index, folder)) == {"a.md": "its file is gone"}
    assert found(index, "lions") == ["deep/b.txt"]
