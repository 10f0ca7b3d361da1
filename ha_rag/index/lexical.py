"""Lexical search: BM25 over the terms of passages, stored by tantivy in a folder beside the database.

Source of the ranking: S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009);
tantivy's k1 = 1.2 and b = 0.75.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache, partial
from pathlib import Path

import tantivy

from ha_rag.errors import IndexStoreError
from ha_rag.index.document import PassageText
from ha_rag.index.english_words import EnglishWords
from ha_rag.index.multilingual_words import MultilingualWords
from ha_rag.index.passage_languages import with_languages
from ha_rag.index.private_copy import PrivateFile, no_space_explained, passing_folder, scratch_folder
from ha_rag.index.words_files import copies_of, folder_of, unusable
from ha_rag.index.words_form import Term, WordsForm, record, version_of

ANALYSIS_VERSION = 2
"""The form that is written; a writer makes a lexical index in another form anew. Incremented when words are cut in
another way."""
HEAP_BYTES = 64 << 20
KEPT_TERMS = 16_384
"""Of questions. Each takes some 0.4 KB."""

_WRITTEN = MultilingualWords()
_FORMS: Mapping[int, WordsForm] = {1: EnglishWords(), ANALYSIS_VERSION: _WRITTEN}


class LexicalSearch:
    """A fixed state of the lexical index in `folder`, in private copies of its files; later writes do not affect it.

    `passages`: how many it holds. Safe across threads.
    """

    def __init__(self, folder: Path, opened: Path, form: WordsForm, copies: Mapping[str, PrivateFile]) -> None:
        self.folder = folder
        self.copies = copies
        self._searcher = form.opened(opened).searcher()
        self._terms = form.questions(self._searcher)
        self._clause = lru_cache(maxsize=KEPT_TERMS)(partial(_clause, form.schema))
        self.passages: int = self._searcher.num_docs

    @classmethod
    def open(cls, folder: Path, before: LexicalSearch | None = None) -> LexicalSearch:
        """The lexical index in `folder`, in any form. `before`: an earlier state of it, whose copies are used again.

        Raises IndexStoreError if there is no usable index, a file is damaged or a later version wrote it.
        """
        known = before.copies if before is not None and before.folder == folder else {}
        with unusable(folder):
            size = sum(file.stat().st_size for file in folder.iterdir())
            form = _form_of(folder)
        listed, copies = copies_of(folder, scratch_folder(folder.parent, size), known)
        with unusable(folder), folder_of(listed, copies) as copied:
            return cls(folder, copied, form, copies)

    @classmethod
    def built(cls, folder: Path, scratch: Path, passages: Iterable[PassageText]) -> LexicalSearch:
        """A lexical index of passages that only this process has. `folder`: the one that it stands in for."""
        with unusable(folder), no_space_explained(scratch), passing_folder(scratch) as opened:
            write_lexical(opened, (), passages)
            return cls(folder, opened, _WRITTEN, {})

    def search(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, BM25 score) pairs, best first, of passages that share a word stem with the question.

        There is no query syntax: quotes, brackets and operators such as AND have no special meaning. Raises
        IndexStoreError.
        """
        encodable = question.encode("utf-8", "replace").decode()  # JSON can carry lone surrogates
        with unusable(self.folder):
            terms = self._terms(encodable)
            if not terms or not self.passages:
                return []
            query = tantivy.Query.boolean_query([self._clause(term) for term in terms])
            hits = self._searcher.search(query, limit, count=False).hits
            rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return [(int(row or 0), float(score)) for row, (score, _) in zip(rows, hits, strict=True)]


def _clause(schema: tantivy.Schema, term: Term) -> tuple[tantivy.Occur, tantivy.Query]:
    """What a passage should have; it need not."""
    query = tantivy.Query.term_query(schema, term.field, term.text, "freq")
    return tantivy.Occur.Should, query if term.boost == 1.0 else tantivy.Query.boost_query(query, term.boost)


def _form_of(folder: Path) -> WordsForm:
    form = _FORMS.get(version_of(folder))
    if form is None:
        raise IndexStoreError(f"the lexical index at {folder} was written by a later version of ha_rag")
    return form


def write_lexical(folder: Path, removed: Iterable[int], added: Iterable[PassageText]) -> None:
    """Deletes rows and adds passages in one atomic commit; creates the index if it is missing.

    The passages of one document must follow each other. Idempotent. The caller must hold the writer's lock. Raises
    IndexStoreError.
    """
    with unusable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        index = _WRITTEN.opened(folder)
        record(folder, ANALYSIS_VERSION)
        writer = index.writer(HEAP_BYTES, 1)
        try:
            for row in removed:
                writer.delete_documents_by_term("row", row)
            for passage, language in with_languages(added):
                writer.delete_documents_by_term("row", passage.row)
                writer.add_document(_WRITTEN.document(passage, language))
            writer.commit()
            writer.wait_merging_threads()
        finally:
            del writer  # and with it tantivy's lock, which the traceback of an error would hold
