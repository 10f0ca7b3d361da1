"""What a component must do: a small class with one async method.

A component knows nothing about circuits, tiers or deadlines. It does one thing, raises a `ComponentError` when it
cannot, and may be cancelled at any await. Implementations must be safe across tasks of one event loop.

A class that sets `in_process = True` calls no service. Its failures on one replica say nothing about the others, so its
circuit belongs to the replica. Without `in_process` the circuit is shared by the fleet.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ha_rag.messages import Embedding, Generation, Passage, Space, StreamEnding


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors of one space."""

    space: Space

    @property
    def dimension(self) -> int:
        """The width of its vectors, equal to `space.dimension`."""
        ...

    async def embed(self, text: str) -> Embedding:
        """The embedding of one question. Raises ComponentError."""
        ...

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        """The embeddings of many passages, in order; used by `ingest`. Raises ComponentError."""
        ...


@runtime_checkable
class Retriever(Protocol):
    """Finds passages."""

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        """At most `top_k` passages, best first; an empty list if nothing matches. Raises ComponentError.

        Never compares vectors of two spaces: without vectors in the embedding's space it searches by words.
        """
        ...


@runtime_checkable
class Reranker(Protocol):
    """Judges passages that were found. A class may set `candidates`: how many it is given (default 30)."""

    async def rerank(self, question: str, passages: Sequence[Passage]) -> list[float]:
        """One finite score for each passage, in their order; higher is better. Raises ComponentError."""
        ...


@runtime_checkable
class Generator(Protocol):
    """Writes an answer from a question and passages."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        """The answer, citing passages by number from 1, as in [1]. Raises ComponentError."""
        ...


@runtime_checkable
class StreamingGenerator(Generator, Protocol):
    """A generator that can also stream its answer."""

    def stream(self, question: str, passages: Sequence[Passage]) -> AsyncIterator[str | StreamEnding]:
        """The answer's text in pieces, and an StreamEnding after them if it is incomplete or its usage is known.

        Raises ComponentError before the first piece or between two.
        """
        ...
