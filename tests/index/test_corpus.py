"""The corpus: each small file yields what is in it, or the reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index import Document, ReadingLimits
from ha_rag.index.reading.files import Read, ReadingNotice, read
from ha_rag.index.reading.walking import FoundFile
from ha_rag.index.splitting import split
from tests.index.corpus.case import Case
from tests.index.corpus.data import MAIL, TABLES, VALUES, WRONG_NAMES
from tests.index.corpus.markup import IN_MARKDOWN, ODD_TEXT, OUTLINES
from tests.index.corpus.office import OFFICE
from tests.index.corpus.pages import HTML, PDF
from tests.index.corpus.sheets import SHEETS
from tests.index.corpus.texts import BLOBS, ENCODINGS, MARKDOWN
from tests.index.corpus.word import WORD
from tests.index.places import write_files

CORPUS = (
    *OFFICE, *WORD, *SHEETS, *TABLES, *VALUES, *MAIL, *WRONG_NAMES, *HTML, *PDF, *ENCODINGS, *MARKDOWN, *IN_MARKDOWN,
    *OUTLINES, *BLOBS, *ODD_TEXT,
)  # fmt: skip


@pytest.mark.parametrize("case", CORPUS, ids=lambda case: f"{case.name}: {case.about}")
def test_each_file_yields_what_is_in_it_or_the_reason(case: Case, tmp_path: Path) -> None:
    write_files(tmp_path, {**case.beside, case.name: case.content})
    found = FoundFile(tmp_path / case.name, case.name, tmp_path)

    said = list(read(found, ReadingLimits(encoding=case.encoding)))

    documents = [one for one in said if isinstance(one, Document)]
    unread = [str(one) for one in said if isinstance(one, UnreadableDocumentError)]
    if case.why:
        assert not documents
        assert case.why in unread[-1]
        assert unread[-1].startswith(f"{case.name}: ")
        return
    assert len(documents) == 1, unread
    _assert_found(case, documents[0])
    _assert_said(case.unread, unread)
    _assert_said(case.notes, _notes(said))


def _assert_found(case: Case, document: Document) -> None:
    text = document.text
    assert all(part in text for part in case.found), text[:1000]
    assert set(case.lines) <= set(text.split("\n")), text[:1000]
    assert not any(part in text for part in case.absent), text[:1000]
    assert document.title == case.title or not case.title
    assert case.metadata.items() <= dict(document.metadata).items()
    split(document)


def _notes(said: list[Read]) -> list[str]:
    return [str(one) for one in said if isinstance(one, ReadingNotice)]


def _assert_said(expected: tuple[str, ...], said: list[str]) -> None:
    """Each part of what was expected was said, and nothing at all where nothing was expected."""
    assert all(any(part in one for one in said) for part in expected), said
    assert bool(said) == bool(expected), said


def test_every_form_has_a_file_in_the_corpus() -> None:
    from ha_rag.index.reading.kinds import FORMS

    read_here = {FORMS.get(Path(case.name).suffix) for case in CORPUS if not case.why}
    assert set(FORMS.values()) - {"jsonl"} <= read_here
