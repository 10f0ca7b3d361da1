"""Helpers of the index's tests: spaces, vectors, a scripted embedder, and ways to fill an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ha_rag.components.embedders.hashing import hashed
from ha_rag.components.script import Script
from ha_rag.index import Chunk, Document, Index
from ha_rag.index.document import PassageText
from ha_rag.messages import Embedding, Space, Vector

SPACE = Space("test", "1", 32)
OTHER = Space("other", "1", 32)


def unit(seed: int, dimension: int = 32) -> Vector:
    """A vector of length one, the same for the same seed."""
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


class TestEmbedder:
    """Hashes words into `space`; fails on a script; counts the texts it was asked for."""

    __test__ = False

    def __init__(self, space: Space = SPACE, script: Script | None = None) -> None:
        self.space = space
        self.asked: list[int] = []
        self._script = script or Script()

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        return (await self.embed_many([text]))[0]

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        self.asked.append(len(texts))
        self._script.play()
        return [Embedding(hashed(text, self.dimension), self.space) for text in texts]


def put(index: Index, texts: Mapping[str, str], *, space: Space | None = SPACE, refresh: bool = True) -> None:
    """Writes one document of one passage for each (id, text), with a vector made from its words."""
    with index.writer() as writer:
        for identity, text in texts.items():
            vectors = {space: [hashed(text, space.dimension)]} if space else {}
            writer.put(Document(id=identity, text=text), [Chunk(text=text)], vectors)
        writer.commit()
    if refresh:
        index.refresh()


def texts_of(texts: Mapping[int, str]) -> list[PassageText]:
    """Passages without title and heading, each in a document of its own, by their row."""
    return [PassageText(row, f"d{row}", "", "", text) for row, text in texts.items()]


def found(index: Index, question: str, limit: int = 10) -> list[str]:
    """The documents that a question's words find, best first."""
    return [passage.document for passage in index.passages_of(index.snapshot.search_words(question, limit))]


def nearest(index: Index, question: str, space: Space = SPACE, limit: int = 10) -> list[str]:
    """The documents nearest to a question in `space`, best first."""
    vector = hashed(question, space.dimension)
    column = index.column(Embedding(vector, space))
    assert column is not None
    return [passage.document for passage in index.passages_of(column.search(vector, limit))]


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Files below `folder`, by their path."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder
