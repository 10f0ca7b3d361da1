"""PrimaryEmbedder and SecondaryEmbedder: embedders for lessons and tests that need no setup and fail on a script."""

from __future__ import annotations

from collections.abc import Sequence

from ha_rag.components.embedders.hashing import WEIGHT, hashed
from ha_rag.components.script import Script
from ha_rag.messages import Embedding, Space

PRIMARY_SPACE = Space("primary-hashing", "1", 256)
SECONDARY_SPACE = Space("secondary-hashing", "1", 128)


class _ScriptedEmbedder:
    """Hashes texts into unit vectors, deterministically; `script` decides which calls fail."""

    def __init__(self, space: Space, script: Script | None) -> None:
        self.space = space
        self._script = script or Script()

    @property
    def dimension(self) -> int:
        return self.space.dimension

    async def embed(self, text: str) -> Embedding:
        self._script.play()
        return Embedding(hashed(text, self.dimension), self.space, WEIGHT)

    async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
        self._script.play()
        return [Embedding(hashed(text, self.dimension), self.space) for text in texts]


class PrimaryEmbedder(_ScriptedEmbedder):
    """The first tier of a lesson: normalised numpy vectors with 256 dimensions by default."""

    def __init__(self, dimension: int = PRIMARY_SPACE.dimension, *, script: Script | None = None) -> None:
        super().__init__(Space(PRIMARY_SPACE.model, PRIMARY_SPACE.revision, dimension), script)


class SecondaryEmbedder(_ScriptedEmbedder):
    """The second tier: vectors with 128 dimensions by default, in a space of their own."""

    def __init__(self, dimension: int = SECONDARY_SPACE.dimension, *, script: Script | None = None) -> None:
        super().__init__(Space(SECONDARY_SPACE.model, SECONDARY_SPACE.revision, dimension), script)
