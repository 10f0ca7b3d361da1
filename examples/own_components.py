"""Custom embedder, retriever and generator: each a small class with one async method.

    python examples/own_components.py

A component needs no code for circuits, tiers or deadlines. It does its task and raises a ServiceError if its service
fails; the pipeline does the rest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import numpy as np

from ha_rag import (
    Embedding,
    FallbackGenerator,
    FallbackStrategy,
    Generation,
    HighAvailabilityRAG,
    Passage,
    ServiceError,
    Space,
)

NOTES = {
    "coffee.md": "The coffee machine wants descaling every first Monday of a month.",
    "door.md": "The front door locks itself at eight in the evening; the code is changed each quarter.",
    "printer.md": "The printer on the second floor takes paper from the lower tray only.",
}


class LetterEmbedder:
    """Counts letters. `space` identifies its vectors: they are never compared with those of another space."""

    space = Space("letters", "1", 26)
    in_process = True  # calls no service, so its circuit is local to this replica

    @property
    def dimension(self) -> int:
        """Number of dimensions."""
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        """A unit vector."""
        counts = np.array([text.lower().count(chr(97 + n)) for n in range(26)], dtype=np.float32)
        return Embedding(counts / (np.linalg.norm(counts) or 1), self.space)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        """Used when documents are ingested."""
        return [await self.embed(text) for text in texts]


class NoteRetriever:
    """Compares the question's letters with each note's."""

    in_process = True

    def __init__(self, embedder: LetterEmbedder) -> None:
        self._embedder = embedder

    async def retrieve(self, question: str, embedding: Embedding, top_k: int) -> list[Passage]:
        """The nearest notes, best first."""
        if embedding.space != self._embedder.space:
            return []
        near = [
            (float(embedding.vector @ (await self._embedder.embed(text)).vector), name) for name, text in NOTES.items()
        ]
        best = sorted(near, reverse=True)[:top_k]
        return [Passage(document=name, id=f"{name}#1", text=NOTES[name], score=score) for score, name in best]


class DownGenerator:
    """A stand-in for a language model that is down."""

    async def generate(self, question: str, passages: Sequence[Passage]) -> Generation:
        """Raises ServiceError: translate your client's errors into it."""
        raise ServiceError("the model is down")


async def main() -> None:
    """Asks a question; the second generator answers it."""
    embedder = LetterEmbedder()
    strategy = FallbackStrategy(
        embedders=[embedder],
        retrievers=[NoteRetriever(embedder)],
        generators=[DownGenerator(), FallbackGenerator()],
    )
    async with HighAvailabilityRAG(strategy) as rag:
        answer = await rag.query("When is the coffee machine descaled?", top_k=2)
        print(answer)
        print(f"served by {answer.served_by['generator']}; degraded: {', '.join(answer.degraded_stages)}")


if __name__ == "__main__":
    asyncio.run(main())
