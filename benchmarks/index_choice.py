"""Comparison of libraries for the index: keyword search, vector search, and the cost of a whole search.

    python -m benchmarks.index_choice [--rows 1400 10000 20000 100000] [--only-vectors]

Libraries that are not installed (bm25s, lancedb, sqlite-vec) are skipped with a message. Cranfield is read from
HA_RAG_CRANFIELD (default ../shared/data/cranfield). Times are measured on one core, in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import re
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.components.retrievers import LexicalRetriever, LocalRetriever
from ha_rag.cores import cores
from ha_rag.index import Chunk, Document, Index, ingest
from ha_rag.index.column import Column
from ha_rag.index.document import PassageText
from ha_rag.index.graph import Graph
from ha_rag.index.lexical import LexicalSearch, write_lexical
from ha_rag.messages import Embedding, Space

CRANFIELD = Path(os.environ.get("HA_RAG_CRANFIELD", "../shared/data/cranfield"))
DIMENSION = 256
Matrix = NDArray[np.float32]
console = Console(width=118)


@dataclass
class Cranfield:
    ids: list[str]
    texts: list[str]
    questions: dict[str, str]
    relevant: dict[str, set[str]]

    @classmethod
    def load(cls) -> Cranfield | None:
        if not (CRANFIELD / "corpus.jsonl").exists():
            console.print(f"Cranfield is not at {CRANFIELD} (set HA_RAG_CRANFIELD): skipping the parts that need it")
            return None
        documents = [json.loads(line) for line in (CRANFIELD / "corpus.jsonl").open()]
        questions = [json.loads(line) for line in (CRANFIELD / "queries.jsonl").open()]
        relevant: dict[str, set[str]] = {}
        for line in (CRANFIELD / "qrels" / "test.tsv").read_text().splitlines()[1:]:
            question, document, _ = line.split("\t")
            relevant.setdefault(question, set()).add(document)
        texts = [f"{d['title']}\n{d['text']}" for d in documents]
        return cls([d["_id"] for d in documents], texts, {q["_id"]: q["text"] for q in questions}, relevant)

    def ndcg(self, found: dict[str, list[str]]) -> float:
        """nDCG@10 with binary relevance, over all questions with judgements."""
        return statistics.fmean(self._ndcg_of(found[question], wanted) for question, wanted in self.relevant.items())

    @staticmethod
    def _ndcg_of(documents: Sequence[str], wanted: set[str]) -> float:
        ranked = list(dict.fromkeys(documents))[:10]
        gain = sum(1 / math.log2(rank + 2) for rank, document in enumerate(ranked) if document in wanted)
        return gain / sum(1 / math.log2(rank + 2) for rank in range(min(10, len(wanted))))


def timed_us(calls: Sequence[Callable[[], object]]) -> tuple[float, float]:
    """Median and 99th percentile of the calls, in microseconds, after a warm-up."""
    for call in calls[:20]:
        call()
    spent = []
    for call in calls:
        began = time.perf_counter()
        call()
        spent.append((time.perf_counter() - began) * 1e6)
    spent.sort()
    return statistics.median(spent), spent[int(len(spent) * 0.99)]


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


# -- keywords ---------------------------------------------------------------------------------------------------------

KeywordSearch = Callable[[str], list[int]]


def by_tantivy(texts: list[str]) -> KeywordSearch:
    folder = Path(tempfile.mkdtemp())
    write_lexical(folder, (), (PassageText(row, str(row), "", "", text) for row, text in enumerate(texts)))
    search = LexicalSearch.open(folder)
    return lambda question: [row for row, _ in search.search(question, 50)]


def by_fts5(texts: list[str]) -> KeywordSearch:
    database = sqlite3.connect(Path(tempfile.mkdtemp()) / "words")
    database.execute("CREATE VIRTUAL TABLE words USING fts5 (text, content='', tokenize='porter unicode61')")
    database.executemany("INSERT INTO words (rowid, text) VALUES (?, ?)", enumerate(texts))
    database.execute("INSERT INTO words (words) VALUES ('optimize')")
    database.commit()

    def search(question: str) -> list[int]:
        match = " OR ".join(f'"{word}"' for word in set(re.findall(r"\w+", question.lower())))
        return [
            row
            for (row,) in database.execute(
                "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 50", (match,)
            )
        ]

    return search


def by_bm25s(texts: list[str]) -> KeywordSearch:
    import bm25s
    import Stemmer

    stemmer = Stemmer.Stemmer("english")
    cut = partial(bm25s.tokenize, stopwords="en", stemmer=stemmer, show_progress=False)
    search = bm25s.BM25(method="lucene")
    search.index(cut(texts), show_progress=False)

    def rows(question: str) -> list[int]:
        found, _ = search.retrieve(cut([question], return_ids=False), k=50, show_progress=False)
        return [int(row) for row in found[0]]

    return rows


def compare_keywords(cranfield: Cranfield) -> None:
    table = Table("keywords (Cranfield, 1,400 abstracts)", "nDCG@10", "p50 us", "p99 us", "build s")
    for name, make in (("tantivy", by_tantivy), ("SQLite FTS5", by_fts5), ("bm25s", by_bm25s)):
        try:
            with stopwatch() as seconds:
                search = make(cranfield.texts)
        except (ImportError, sqlite3.OperationalError) as error:
            console.print(f"{name} is skipped: {error}")
            continue
        found = {key: [cranfield.ids[row] for row in search(question)] for key, question in cranfield.questions.items()}
        median, worst = timed_us([partial(search, question) for question in cranfield.questions.values()])
        table.add_row(name, f"{cranfield.ndcg(found):.3f}", f"{median:.0f}", f"{worst:.0f}", f"{seconds[0]:.2f}")
    console.print(table)


# -- vectors ----------------------------------------------------------------------------------------------------------


def synthetic(rows: int, rng: np.random.Generator) -> Matrix:
    """Unit vectors in clusters on 32 hidden dimensions plus noise: closer to real embeddings than pure noise."""
    hidden = np.random.default_rng(1).standard_normal((32, DIMENSION), dtype=np.float32)
    centres = np.random.default_rng(2).standard_normal((2000, 32), dtype=np.float32)
    points = centres[rng.integers(0, len(centres), rows)] + 0.7 * rng.standard_normal((rows, 32), dtype=np.float32)
    vectors = points @ hidden + 0.5 * rng.standard_normal((rows, DIMENSION), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


VectorSearch = Callable[[Matrix], Sequence[int]]


def by_numpy(vectors: Matrix) -> VectorSearch:
    column = Column(Space("synthetic", "", DIMENSION), np.arange(len(vectors)), vectors)
    return lambda vector: [row for row, _ in column.search(vector, 50)]


def by_usearch(vectors: Matrix) -> VectorSearch:
    graph, file = Graph.empty(DIMENSION), Path(tempfile.mkdtemp()) / "graph"
    graph.add(np.arange(len(vectors)), vectors, threads=cores())
    graph.save(file)
    with stopwatch() as seconds:
        mapped = Graph.load(file, mapped=True)
    console.print(f"usearch: file of {file.stat().st_size / 1e6:.0f} MB mapped in {seconds[0] * 1e3:.1f} ms")
    return lambda vector: mapped.search(vector, 50)[0].tolist()


def by_sqlite_vec(vectors: Matrix) -> VectorSearch:
    import sqlite_vec

    database = sqlite3.connect(":memory:")
    if not hasattr(database, "enable_load_extension"):
        raise ImportError("this Python's sqlite3 loads no extensions")
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    database.execute(f"CREATE VIRTUAL TABLE v USING vec0 (vector float[{DIMENSION}])")
    database.executemany(
        "INSERT INTO v (rowid, vector) VALUES (?, ?)", ((n, v.tobytes()) for n, v in enumerate(vectors))
    )
    query = "SELECT rowid FROM v WHERE vector MATCH ? AND k = 50 ORDER BY distance"
    return lambda vector: [row for (row,) in database.execute(query, (vector.tobytes(),))]


def by_lancedb(vectors: Matrix) -> VectorSearch:
    import lancedb
    import pyarrow as pa

    database = lancedb.connect(tempfile.mkdtemp())
    column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
    table = database.create_table("v", pa.table({"row": np.arange(len(vectors)), "vector": column}))
    if len(vectors) > 50_000:
        table.create_index(metric="dot", index_type="IVF_HNSW_SQ", vector_column_name="vector")

    def search(vector: Matrix) -> list[int]:
        rows = (
            table.search(vector)
            .distance_type("dot")
            .limit(50)
            .select(["row", "_distance"])
            .to_arrow()["row"]
            .to_pylist()
        )
        return [int(row) for row in rows]

    return search


def compare_vectors(sizes: Sequence[int]) -> None:
    table = Table("vectors (synthetic, 256 dimensions)", "rows", "recall@10", "p50 us", "p99 us", "build s")
    questions = synthetic(200, np.random.default_rng(3))
    ours = (("numpy, exact", by_numpy), ("usearch, f16", by_usearch))
    others = (("lancedb", by_lancedb), ("sqlite-vec", by_sqlite_vec))
    for rows in sizes:
        vectors = synthetic(rows, np.random.default_rng(4))
        exact = [set(np.argpartition(vectors @ question, -10)[-10:].tolist()) for question in questions]
        for name, make in (*ours, *others) if rows <= 200_000 else ours:
            try:
                with stopwatch() as seconds:
                    search = make(vectors)
            except (ImportError, AttributeError) as error:
                console.print(f"{name} is skipped: {error}")
                continue
            recall = statistics.fmean(
                len(wanted & set(search(question)[:10])) / 10 for wanted, question in zip(exact, questions, strict=True)
            )
            median, worst = timed_us([partial(search, question) for question in questions])
            table.add_row(name, f"{rows:,}", f"{recall:.3f}", f"{median:.0f}", f"{worst:.0f}", f"{seconds[0]:.1f}")
    console.print(table)


# -- whole search ------------------------------------------------------------------------------------------------------


async def measure_whole(cranfield: Cranfield) -> None:
    table = Table("whole search (Cranfield)", "nDCG@10", "p50 us", "p99 us")
    embedder = LocalEmbedder()
    with Index(tempfile.mkdtemp()) as index:
        await ingest([CRANFIELD / "corpus.jsonl"], index, {"local": embedder})
        embedded = {key: await embedder.embed(question) for key, question in cranfield.questions.items()}
        for name, retriever in (("hybrid", LocalRetriever(index)), ("lexical", LexicalRetriever(index))):
            found, spent = {}, []
            for key, question in cranfield.questions.items():
                passages = await retriever.retrieve(question, embedded[key], 20)
                found[key] = [passage.document for passage in passages]
                began = time.perf_counter()
                await retriever.retrieve(question, embedded[key], 3)
                spent.append((time.perf_counter() - began) * 1e6)
            spent.sort()
            worst = spent[int(len(spent) * 0.99)]
            table.add_row(name, f"{cranfield.ndcg(found):.3f}", f"{statistics.median(spent):.0f}", f"{worst:.0f}")
        found = {
            key: [p.document for p in index.passages_of(_by_vector(index, embedding))]
            for key, embedding in embedded.items()
        }
        table.add_row("vectors alone", f"{cranfield.ndcg(found):.3f}", "", "")
        found = {
            key: [p.document for p in index.passages_of(_by_vector(index, _shuffled(embedding)))]
            for key, embedding in embedded.items()
        }
        table.add_row("vectors of another space, if they were accepted", f"{cranfield.ndcg(found):.3f}", "", "")
    console.print(table)


def _by_vector(index: Index, embedding: Embedding) -> list[tuple[int, float]]:
    column = index.column(embedding)
    return column.search(embedding.vector, 20) if column else []


def _shuffled(embedding: Embedding) -> Embedding:
    order = np.random.default_rng(5).permutation(len(embedding.vector))
    return Embedding(embedding.vector[order], embedding.space)


async def measure_start() -> None:
    space, rows = Space("synthetic", "", DIMENSION), 10_000
    folder = Path(tempfile.mkdtemp())
    vectors = synthetic(rows, np.random.default_rng(4))
    words = np.random.default_rng(6).zipf(1.3, (rows, 120)) % 50_000
    with Index(folder) as index, index.writer() as writer:
        for start in range(0, rows, 500):
            for n in range(start, start + 500):
                text = " ".join(f"w{word}" for word in words[n])
                writer.put(Document(id=str(n), text=text), [Chunk(text=text)], {space: [vectors[n]]})
            writer.commit()
    with stopwatch() as seconds, Index(folder) as index:
        index.snapshot.search_words("w7 w9", 3)
    console.print(f"cold start, 10,000 passages: {seconds[0] * 1e3:.0f} ms")
    hops = []
    for _ in range(500):
        began = time.perf_counter()
        await asyncio.to_thread(int)
        hops.append((time.perf_counter() - began) * 1e6)
    console.print(f"round trip to a worker thread: {statistics.median(hops):.0f} us")


async def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument(
        "--rows", type=int, nargs="+", default=[1_400, 10_000, 20_000, 100_000], help="column lengths"
    )
    arguments.add_argument("--only-vectors", action="store_true")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        tempfile.tempdir = scratch
        try:
            await measure(given.rows, only_vectors=given.only_vectors)
        finally:
            tempfile.tempdir = None


async def measure(rows: Sequence[int], *, only_vectors: bool) -> None:
    cranfield = None if only_vectors else Cranfield.load()
    if cranfield is not None:
        compare_keywords(cranfield)
        await measure_whole(cranfield)
    if not only_vectors:
        await measure_start()
    compare_vectors(rows)


if __name__ == "__main__":
    asyncio.run(main())
