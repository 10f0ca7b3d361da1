"""Indexes of made passages: each begins as a copy of the next smaller one, and can be kept for a later run."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.made_text import MadeText
from ha_rag.components.embedders.local import LocalEmbedder
from ha_rag.cores import cores
from ha_rag.index import Chunk, Document, IndexWriter
from ha_rag.index.checksums import checked_vectors
from ha_rag.index.schema import open_for_reading

PORTION = 10_000
"""Passages that are committed together."""
VECTORS = "SELECT id, passage, vector, checksum FROM vectors WHERE id > ? ORDER BY id LIMIT ?"


class GrownIndexes:
    """Indexes below `folder`. What is there already is not made again; an interrupted one is continued."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts = MadeText()
        self._embedder = LocalEmbedder()

    async def of(self, passages: int) -> Path:
        """The folder of the index with so many passages, in documents of one passage each."""
        folder = self._folder / f"{passages}"
        if not folder.exists() and (smaller := self._largest_below(passages)) is not None:
            unfinished = self._folder / f"{passages}.new"
            shutil.rmtree(unfinished, ignore_errors=True)
            shutil.copytree(smaller, unfinished)
            unfinished.rename(folder)
        with IndexWriter(folder, threads=cores()) as writer:
            for first in range(len(writer.documents()), passages, PORTION):
                await self._add(writer, range(first, min(first + PORTION, passages)))
        return folder

    def _largest_below(self, passages: int) -> Path | None:
        found = (int(folder.name) for folder in self._folder.iterdir() if folder.name.isdecimal())
        size = max((size for size in found if size < passages), default=None)
        return None if size is None else self._folder / f"{size}"

    async def _add(self, writer: IndexWriter, numbers: range) -> None:
        pieces = [self._texts.passage(number) for number in numbers]
        embeddings = await self._embedder.embed_many(pieces)
        for number, piece, embedding in zip(numbers, pieces, embeddings, strict=True):
            vectors = {self._embedder.space: [embedding.vector]}
            writer.put(Document(id=str(number), text=piece), [Chunk(text=piece)], vectors)
        await asyncio.to_thread(writer.commit)


def nearest(folder: Path, vectors: NDArray[np.float32], limit: int) -> list[set[int]]:
    """For each of `vectors`, the rows of the `limit` nearest in the index, found by comparing with every one."""
    connection = open_for_reading(folder)
    best, rows = np.empty((len(vectors), 0), np.float32), np.empty((len(vectors), 0), np.int64)
    last = 0
    while found := connection.execute(VECTORS, (last, PORTION)).fetchall():
        last = found[-1][0]
        checked = checked_vectors(found, 1, vectors.shape[1])
        best = np.hstack([best, vectors @ checked.matrix.T])
        rows = np.hstack([rows, np.broadcast_to(checked.rows, (len(vectors), len(checked.rows)))])
        kept = np.argsort(-best, axis=1)[:, :limit]
        best, rows = np.take_along_axis(best, kept, 1), np.take_along_axis(rows, kept, 1)
    connection.close()
    return [set(its) for its in rows.tolist()]
