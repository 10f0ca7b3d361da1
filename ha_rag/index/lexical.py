"""Lexical search: BM25 over English word stems, kept by tantivy in a folder beside the database.

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
"""Raised whenever words are cut differently: a lexical index with another number is built anew."""
MAX_TERMS = 128
"""Different words of a question that are searched for; the rest of a huge question changes nothing worth its price."""
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
    # tantivy raises ValueError for almost everything, OSError for the rest.
    try:
        yield
    except (ValueError, OSError) as error:
        raise IndexStoreError(f"the lexical index at {folder} cannot be used: {error}") from error


class LexicalSearch:
    """One state of the lexical index, in memory-mapped files; safe across threads. Later writes do not reach it.

    Raises IndexStoreError where the folder holds no usable index.
    """

    def __init__(self, folder: Path) -> None:
        with _translated(folder):
            self._searcher = _open(folder).searcher()
        self.passages = self._searcher.num_docs

    def search(self, question: str, limit: int) -> list[tuple[int, float]]:
        """At most `limit` (row, BM25 score), best first: passages with at least one word stem of the question.

        No syntax: quotes, brackets, AND and the like are words or nothing.
        """
        sound = question.encode("utf-8", "replace").decode()  # half characters, as JSON may carry them
        terms = list(dict.fromkeys(_STEMS.analyze(sound)))[:MAX_TERMS]
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
    """Opens an index in a folder that this process may not write to, where tantivy cannot place its lock.

    A folder of links stands in: a segment never changes, and the list of segments is copied.
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
        shutil.rmtree(mirror, ignore_errors=True)  # the files are mapped by now


def write_lexical(folder: Path, removed: Iterable[int], added: Iterable[tuple[int, str]]) -> None:
    """Takes rows out and puts (row, text) in, in one atomic commit; makes the index when it is missing.

    Doing it twice is the same as doing it once. The writer's lock must be held. Raises IndexStoreError.
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
