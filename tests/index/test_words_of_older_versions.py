"""The words of an index of 0.1.0, and of the form before the present one, in a fleet that is being upgraded."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import tantivy

from ha_rag.errors import IndexStoreError
from ha_rag.index import Index, lexical, publishing
from ha_rag.index.document import PassageText, searchable
from ha_rag.index.english_words import EnglishWords
from ha_rag.index.examining import examine_folder
from ha_rag.index.lexical import ANALYSIS_VERSION, LexicalSearch, write_lexical
from ha_rag.index.schema import DATABASE, meta
from ha_rag.index.words_form import RECORD, version_of
from tests.index.places import SPACE, found, nearest, put, texts_of
from tests.index.written_by_0_1_0 import WRITES
from tests.version_0_1_0 import REPOSITORY, Version010

TEXTS = {
    "en": "Expense receipts are handed in by the fifth day of the month.",
    "de": "Die Versicherungen der Mitarbeiter werden jedes Jahr verlängert.",
    "zh": "報銷單據每月五日之前交給財務部。",
    "vpn": "The VPN is set up by the service desk.",
}
QUESTIONS = [
    *("receipts", "handing in expenses", "Versicherungen", "Versicherung", "jedes Jahr", "VPN"),
    "報銷單據什麼時候交？",
]
OLD_SEARCHES = """
from ha_rag.index import Index

folder, questions = given
with Index(folder) as index:
    print(json.dumps([index.snapshot.search_words(question, 9) for question in questions]))
"""
# A replica of 0.1.0 that has the index open while a process of the present version writes to it.
OLD_STAYS = """
import os, subprocess
from ha_rag.index import Index

folder, questions, python, repository, program = given
with Index(folder) as index:
    told = [[index.snapshot.search_words(question, 9) for question in questions]]
    environment = {**os.environ, "PYTHONPATH": repository}
    subprocess.run([python, "-c", program, folder], env=environment, check=True)
    told.append([index.snapshot.search_words(question, 9) for question in questions])
    index.refresh()
    told.append([index.snapshot.search_words(question, 9) for question in questions])
    told.append(index.problem)
print(json.dumps(told))
"""
NEW_WRITES = """
import sys
from ha_rag.index import Index
with Index(sys.argv[1]) as index, index.writer():
    pass
"""
PLACE = [SPACE.model, SPACE.revision, SPACE.dimension]


@pytest.fixture
def folder(tmp_path: Path, version_0_1_0: Version010) -> Path:
    """An index of 0.1.0."""
    version_0_1_0.run(WRITES, str(tmp_path / "index"), TEXTS, PLACE, False)
    return tmp_path / "index"


def _rewritten(folder: Path) -> None:
    with Index(folder) as index, index.writer():
        pass


def _words_of(folder: Path) -> Path:
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        return folder / str(meta(database, "lexical"))


def test_a_replica_serves_an_index_of_0_1_0_as_0_1_0_does(folder: Path, version_0_1_0: Version010) -> None:
    with Index(folder) as index:
        assert index.problem is None
        new = [index.snapshot.search_words(question, 9) for question in QUESTIONS]
    assert _rounded(new) == _rounded(version_0_1_0.run(OLD_SEARCHES, str(folder), QUESTIONS))
    assert version_of(_words_of(folder)) == 1


def test_a_writer_replaces_its_words_by_a_new_folder_and_a_replica_upgraded_before_goes_over(folder: Path) -> None:
    with Index(folder) as index:
        old = _words_of(folder)
        assert found(index, "報銷單據什麼時候交？") == []
        _rewritten(folder)
        assert _words_of(folder) != old
        assert version_of(_words_of(folder)) == ANALYSIS_VERSION
        assert found(index, "expense") == ["en"]  # still from what it has loaded
        index.refresh()
        assert index.problem is None
        assert found(index, "報銷單據什麼時候交？") == ["zh"]
        assert found(index, "Versicherung") == ["de"]
        assert nearest(index, TEXTS["en"])[0] == "en"


def test_a_replica_upgraded_after_the_writer_reads_the_new_words(folder: Path) -> None:
    _rewritten(folder)
    with Index(folder) as index:
        assert index.problem is None
        assert found(index, "報銷單據什麼時候交？") == ["zh"]
        assert nearest(index, TEXTS["de"])[0] == "de"
    assert examine_folder(folder) == []


def test_words_that_could_not_be_rebuilt_stay_as_they_are(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise IndexStoreError("no space left")

    monkeypatch.setattr(publishing, "write_lexical", fails)
    with Index(folder) as index:
        with pytest.raises(IndexStoreError, match="no space"):
            _rewritten(folder)
        index.refresh()
        assert index.problem is None
        assert found(index, "expense") == ["en"]


def test_a_running_replica_of_0_1_0_finds_what_it_found_before_beside_a_new_writer(
    folder: Path, version_0_1_0: Version010
) -> None:
    before, during, after, problem = version_0_1_0.run(
        OLD_STAYS, str(folder), QUESTIONS, sys.executable, str(REPOSITORY), NEW_WRITES
    )
    assert version_of(_words_of(folder)) == ANALYSIS_VERSION
    assert problem is None
    assert before[0] != []
    assert _rounded(before) == _rounded(during) == _rounded(after)


def test_a_writer_of_0_1_0_and_a_new_one_take_turns(folder: Path, version_0_1_0: Version010) -> None:
    with Index(folder) as index:
        put(index, {"ja": "経費の領収書は毎月五日までに提出してください。"})
        assert found(index, "領収書") == ["ja"]
        version_0_1_0.run(WRITES, str(folder), {"owl": "Owls hoot at night."}, PLACE, False)
        index.refresh()
        assert index.problem is None
        assert version_of(_words_of(folder)) == 1
        assert found(index, "hooting owls") == ["owl"]
        put(index, {"lion": "Lions sleep."})
        assert version_of(_words_of(folder)) == ANALYSIS_VERSION
        assert (found(index, "領収書"), found(index, "owl"), found(index, "lion")) == (["ja"], ["owl"], ["lion"])
        assert index.problem is None
    assert examine_folder(folder) == []


def test_the_form_before_with_its_signature_is_served_and_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(publishing, "write_lexical", _write_form_1)
        earlier.setattr(publishing, "ANALYSIS_VERSION", 1)
        with Index(tmp_path) as index:
            put(index, TEXTS)
    with Index(tmp_path) as index:
        assert version_of(_words_of(tmp_path)) == 1
        assert index.problem is None
        assert found(index, "handing in expenses") == ["en"]
        put(index, {"owl": "Owls hoot."})
        assert version_of(_words_of(tmp_path)) == ANALYSIS_VERSION
        assert (found(index, "報銷"), found(index, "owl")) == (["zh"], ["owl"])


def test_words_of_a_later_version_are_not_searched_with_the_wrong_words(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        put(index, TEXTS)
        (_words_of(tmp_path) / RECORD).write_text(f'{{"analysis": {ANALYSIS_VERSION + 1}}}')
    with Index(tmp_path) as index:
        assert "later version" in str(index.problem)
        assert found(index, "報銷") == ["zh"]  # in words that it has made for itself


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"analysis": "x"}', "\x00"])
def test_a_damaged_record_of_the_form_is_named_and_mended(tmp_path: Path, content: str) -> None:
    with Index(tmp_path) as index:
        put(index, TEXTS)
        (_words_of(tmp_path) / RECORD).write_text(content)
    with Index(tmp_path) as index:
        assert "analysis.json is damaged" in str(index.problem)
        assert found(index, "報銷") == ["zh"]
        _rewritten(tmp_path)
        index.refresh()
        assert index.problem is None


def test_a_folder_without_a_record_but_with_other_fields_is_refused(tmp_path: Path) -> None:
    write_lexical(tmp_path, (), texts_of({1: "zebra"}))
    (tmp_path / RECORD).unlink()
    with pytest.raises(IndexStoreError, match="cannot be used"):
        LexicalSearch.open(tmp_path)


def _write_form_1(folder: Path, removed: Iterable[int], added: Iterable[PassageText]) -> None:
    """As the version before this one wrote it."""
    folder.mkdir(exist_ok=True)
    writer = EnglishWords().opened(folder).writer(lexical.HEAP_BYTES, 1)
    for row in removed:
        writer.delete_documents_by_term("row", row)
    for one in added:
        writer.add_document(tantivy.Document(row=one.row, text=searchable(one.title, one.heading, one.text)))
    writer.commit()
    writer.wait_merging_threads()


def _rounded(found: Any) -> list[list[tuple[int, float]]]:
    return [[(row, round(score, 4)) for row, score in hits] for hits in found]
