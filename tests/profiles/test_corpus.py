"""CorpusVersion: the same documents are the same corpus, wherever they are; others are not."""

from __future__ import annotations

import pytest

from ha_rag.index import Index, ingest
from ha_rag.profiles.corpus import CorpusVersion


def documents(first: int, last: int) -> list[tuple[str, str]]:
    return [(f"document-{n}", f"digest-{n}") for n in range(first, last)]


def test_the_same_documents_in_any_order_are_the_same_corpus():
    assert CorpusVersion.of(documents(0, 1000)) == CorpusVersion.of(reversed(documents(0, 1000)))
    assert CorpusVersion.of(documents(0, 1000)).shared(CorpusVersion.of(documents(0, 1000))) == 1


def test_a_document_with_another_content_is_another_document():
    before, after = CorpusVersion.of([("a", "1"), ("b", "1")]), CorpusVersion.of([("a", "1"), ("b", "2")])

    assert before.shared(after) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("kept", "added"), [(10_000, 500), (10_000, 5_000), (9_000, 0), (0, 10_000)])
def test_how_much_of_a_large_corpus_is_the_same_is_estimated(kept, added):
    before = CorpusVersion.of(documents(0, 10_000))
    after = CorpusVersion.of(documents(0, kept) + documents(10_000, 10_000 + added))

    assert before.shared(after) == pytest.approx(kept / (10_000 + added), abs=0.1)


def test_nothing_and_nothing_are_the_same():
    assert CorpusVersion(0, ()).shared(CorpusVersion(0, ())) == 1
    assert CorpusVersion(0, ()).shared(CorpusVersion.of(documents(0, 3))) == 0


async def test_an_index_made_anew_of_the_same_files_holds_the_same_corpus(tmp_path):
    (tmp_path / "a.md").write_text("The bridge was built in 1894.")
    versions = []
    for name in ("one", "two"):
        with Index(tmp_path / name) as index:
            await ingest([tmp_path / "a.md"], index, {})
        versions.append(CorpusVersion.of_index(tmp_path / name))

    assert versions[0] == versions[1]
    assert versions[0].documents == 1
    assert CorpusVersion.of_index(tmp_path / "none") == CorpusVersion(0, ())
