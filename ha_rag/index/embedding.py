"""Embedding for the index: patient with services, obedient to circuits, and never a vote in them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ha_rag.errors import ComponentError, ConfigurationError, InvalidRequestError, MalformedReplyError, ThrottledError
from ha_rag.interfaces import Embedder
from ha_rag.messages import Embedding, Space, Vector

Permitted = Callable[[str], Awaitable[bool]]
Sleep = Callable[[float], Awaitable[object]]
TEXTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a service is asked again. `attempts`: in all. `first_wait_s`: before the second; then twice as long.

    A service that names its own rest (429 with Retry-After) gets it. No wait is longer than `longest_wait_s`.
    """

    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait_s < 0 or self.longest_wait_s < 0:
            raise ConfigurationError(f"{self}: attempts must be at least 1, and waits at least 0 s")

    def wait_s(self, attempt: int, error: ComponentError) -> float:
        """Seconds to wait after the `attempt`-th attempt (from 1) failed with `error`."""
        asked = error.retry_after_s if isinstance(error, ThrottledError) else 0.0
        return min(max(asked, self.first_wait_s * 2.0 ** (attempt - 1)), self.longest_wait_s)


DEFAULT_PATIENCE = Patience()


class SpaceFiller:
    """One embedder at work for the index. Once it has failed for good, `down` says why and it is left alone.

    `name`: the embedder's. `permitted`: asked before each call whether its circuit lets calls pass. `filled`: vectors
    made so far. For one task at a time.
    """

    def __init__(
        self,
        name: str,
        embedder: Embedder,
        *,
        permitted: Permitted | None = None,
        patience: Patience = DEFAULT_PATIENCE,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = name
        self.space: Space = embedder.space
        self.down: str | None = None
        self.filled = 0
        self._embedder = embedder
        self._permitted = permitted
        self._patience = patience
        self._sleep = sleep

    async def vectors(self, texts: Sequence[str]) -> list[Vector | None]:
        """A vector for each text; None where there is none. Never raises a ComponentError: see `down`."""
        vectors: list[Vector | None] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            portion = texts[start : start + TEXTS_AT_ONCE]
            vectors += await self._portion(portion) if self.down is None else [None] * len(portion)
        self.filled += sum(vector is not None for vector in vectors)
        return vectors

    async def _portion(self, texts: Sequence[str]) -> list[Vector | None]:
        try:
            return await self._asked(texts)
        except InvalidRequestError:
            return await self._halved(texts)
        except ComponentError as error:
            self.down = str(error)
            return [None] * len(texts)

    async def _halved(self, texts: Sequence[str]) -> list[Vector | None]:
        """One text that is refused must not cost the others their vectors."""
        if len(texts) == 1:
            return [None]
        half = len(texts) // 2
        return [*await self._portion(texts[:half]), *await self._portion(texts[half:])]

    async def _asked(self, texts: Sequence[str]) -> list[Vector | None]:
        for attempt in range(1, self._patience.attempts + 1):
            if self._permitted is not None and not await self._permitted(self.name):
                raise ComponentError(f"the circuit of embedder {self.name!r} is open")
            try:
                return self._checked(texts, await self._embedder.embed_many(texts))
            except InvalidRequestError:
                raise
            except ComponentError as error:
                if attempt == self._patience.attempts:
                    raise
                await self._sleep(self._patience.wait_s(attempt, error))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _checked(self, texts: Sequence[str], embeddings: Sequence[Embedding]) -> list[Vector | None]:
        if len(embeddings) != len(texts):
            raise MalformedReplyError(f"embedder {self.name!r} gave {len(embeddings)} vectors for {len(texts)} texts")
        return [self._unit(embedding) for embedding in embeddings]

    def _unit(self, embedding: Embedding) -> Vector | None:
        vector = np.asarray(embedding.vector, np.float32)
        if embedding.space is None or not vector.any():
            return None
        if embedding.space != self.space or vector.shape != (self.space.dimension,):
            raise MalformedReplyError(f"embedder {self.name!r} gave a vector of {embedding.space}, not of {self.space}")
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length):
            raise MalformedReplyError(f"embedder {self.name!r} gave a vector that is not finite")
        return vector / np.float32(length)
