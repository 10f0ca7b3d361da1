"""What a component is: a small class with one async method. Twenty lines make one of your own.

A component knows no circuit, no tier and no deadline: it does one thing, raises a `ComponentError` when it cannot,
and may be cancelled at any await. Implementations must be safe across tasks of one event loop.

A class that sets `in_process = True` calls no service: one replica's trouble with it says nothing about the others, so
its circuit is the replica's own. Without it the circuit is the fleet's.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, runtime_checkable

from ha_rag.messages import Embedding, Generation, Passage, Space


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one space."""

    space: Space

    @property
    def dimension(self) -> int:
        """The vectors' width; the same as `space.dimension`."""
        ...

    async def embed(self, text: str) -> Embedding:
        """The embedding of one question. Raises ComponentError."""
        ...

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        """The embeddings of many passages, in their order: what `ingest` uses. Raises ComponentError."""
        ...


@runtime_checkable
class Retriever(Protocol):
    """Finds passages."""

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        """At most `top_k` passages, best first; an empty list where nothing fits. Raises ComponentError.

        Never searches with a vector of another space than the one its column holds: it falls back to words.
        """
        ...


@runtime_checkable
class Generator(Protocol):
    """Writes an answer from a question and passages."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        """The answer, citing passages by their number from 1, as in [1]. Raises ComponentError."""
        ...


@runtime_checkable
class StreamingGenerator(Generator, Protocol):
    """A generator that can also hand out its answer piece by piece."""

    def stream(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[str]:
        """The answer's text in pieces. Raises ComponentError, before the first piece or in the middle."""
        ...
