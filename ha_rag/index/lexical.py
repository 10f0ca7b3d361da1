"""Lexical search: BM25 over English word stems, stored by tantivy in a folder beside the database.

Source of the ranking: S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond (2009);
tantivy's k1 = 1.2 and b = 0.75.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tantivy

from ha_rag.errors import IndexStoreError

ANALYSIS_VERSION = 1
"""Incremented when the analyzer changes; a lexical index with another version is rebuilt."""
MAX_TERMS = 128
"""How many distinct terms of a question are searched for; further ones cost time and hardly change the result."""
HEAP_BYTES = 64 << 20
LONGEST_WORD = 60


def _analyzer() -> tantivy.TextAnalyzer:
    word = tantivy.Filter
    plain = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple()).filter(word.remove_long(LONGEST_WORD))
    folded = plain.filter(word.lowercase()).filter(word.ascii_fold())
    return folded.filter(word.stopword("english")).filter(word.stemmer("english")).build()


def _schema() -> tantivy.Schema:
    fields = tantivy.SchemaBuilder()
    fields.add_integer_field("row", indexed=True, fast=True)
    fields.add_text_field("text", tokenizer_name="stems", index_option="freq")
    return fields.build()


_STEMS = _analyzer()
_SCHEMA = _schema()


@contextmanager
def _translated(folder: Path) -> Iterator[None]:
    # tantivy raises ValueError for almost every failure and OSError for the rest.
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexStoreError(f"the lexical index at {folder} cannot be used: {error}") from error


class LexicalSearch:
    """A fixed state of the lexical index, in memory-mapped files. Safe across threads; later writes do not affect it.

    Raises IndexStoreError if the folder holds no usable index.
    """

    def __init__(self, folder: Path) -> None:
        with _translated(folder):
            self._searcher = _open(folder).searcher()
        self.passages = self._searcher.num_docs

    def search(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, BM25 score) pairs, best first, of passages that share a word stem with the question.

        There is no query syntax: quotes, brackets and operators such as AND have no special meaning.
        """
        encodable = question.encode("utf-8", "replace").decode()  # JSON can carry lone surrogates
        terms = list(dict.fromkeys(_STEMS.analyze(encodable)))[:MAX_TERMS]
        if not terms or not self.passages:
            return []
        should = tantivy.Occur.Should
        query = tantivy.Query.boolean_query(
            [(should, tantivy.Query.term_query(_SCHEMA, "text", term, "freq")) for term in terms]
        )
        hits = self._searcher.search(query, limit, count=False).hits
        rows = self._searcher.fast_field_values("row", [address for _, address in hits])
        return [(int(row or 0), float(score)) for row, (score, _) in zip(rows, hits, strict=True)]


def _open(folder: Path) -> tantivy.Index:
    try:
        index = tantivy.Index.open(str(folder))
    except (ValueError, OSError):
        index = _open_unwritable(folder)
    index.register_tokenizer("stems", _STEMS)
    return index


def _open_unwritable(folder: Path) -> tantivy.Index:
    """Opens an index in a read-only folder, where tantivy cannot create its lock file.

    A temporary folder replaces it: segments never change, so they are linked; the list of segments is copied.
    """
    mirror = Path(tempfile.mkdtemp(prefix="ha_rag-text-"))
    try:
        for file in folder.iterdir():
            if file.suffix == ".json":
                shutil.copyfile(file, mirror / file.name)
            elif not file.name.endswith(".lock"):
                (mirror / file.name).symlink_to(file.resolve())
        return tantivy.Index.open(str(mirror))
    finally:
        shutil.rmtree(mirror, ignore_errors=True)  # the files have been mapped


def write_lexical(folder: Path, removed: Iterable[int], added: Iterable[tuple[int, str]]) -> None:
    """Deletes rows and adds (row, text) pairs in one atomic commit; creates the index if it is missing.

    Idempotent. The caller must hold the writer's lock. Raises IndexStoreError.
    """
    with _translated(folder):
        folder.mkdir(parents=True, exist_ok=True)
        index = tantivy.Index(_SCHEMA, path=str(folder))
        index.register_tokenizer("stems", _STEMS)
        writer = index.writer(HEAP_BYTES, 1)
        for row in removed:
            writer.delete_documents_by_term("row", row)
        for row, text in added:
            writer.delete_documents_by_term("row", row)
            writer.add_document(tantivy.Document(row=row, text=text))
        writer.commit()
        writer.wait_merging_threads()
