"""Embeds passages for the index: retries failing services, respects open circuits and reports nothing to them."""

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
class RetryPolicy:
    """How often and how soon a failed call is repeated.

    `attempts`: in total. `first_wait_s`: before the second attempt; each later wait is twice as long, or as long as
    the service's Retry-After asks for, but never above `longest_wait_s`. Raises ConfigurationError.
    """

    attempts: int = 5
    first_wait_s: float = 0.5
    longest_wait_s: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.first_wait_s < 0 or self.longest_wait_s < 0:
            raise ConfigurationError(f"{self}: attempts must be at least 1 and waits must not be negative")

    def wait_s(self, attempt: int, error: ComponentError) -> float:
        """Seconds to wait after the `attempt`-th attempt (from 1) failed with `error`."""
        requested_s = error.retry_after_s if isinstance(error, ThrottledError) else 0.0
        return min(max(requested_s, self.first_wait_s * 2.0 ** (attempt - 1)), self.longest_wait_s)


DEFAULT_RETRY_POLICY = RetryPolicy()


class SpaceFiller:
    """Makes the vectors of one embedder's space. Once its last attempt has failed, `down` says why and calls stop.

    `name`: the embedder's name. `permitted`: checked before each call; False if its circuit is open. `filled`: vectors
    made so far. For one task at a time.
    """

    def __init__(
        self,
        name: str,
        embedder: Embedder,
        *,
        permitted: Permitted | None = None,
        retry_policy: RetryPolicy = DEFAULT_RETRY_POLICY,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.name = name
        self.space: Space = embedder.space
        self.down: str | None = None
        self.filled = 0
        self._embedder = embedder
        self._permitted = permitted
        self._retry_policy = retry_policy
        self._sleep = sleep

    async def vectors(self, texts: Sequence[str]) -> list[Vector | None]:
        """A vector for each text, or None where there is none. Raises no ComponentError; see `down`."""
        vectors: list[Vector | None] = []
        for start in range(0, len(texts), TEXTS_AT_ONCE):
            batch = texts[start : start + TEXTS_AT_ONCE]
            vectors += await self._batch(batch) if self.down is None else [None] * len(batch)
        self.filled += sum(vector is not None for vector in vectors)
        return vectors

    async def _batch(self, texts: Sequence[str]) -> list[Vector | None]:
        try:
            return await self._embed_with_retries(texts)
        except InvalidRequestError:
            return await self._bisect(texts)
        except ComponentError as error:
            self.down = str(error)
            return [None] * len(texts)

    async def _bisect(self, texts: Sequence[str]) -> list[Vector | None]:
        """Embeds both halves of a refused batch, so that only the refused text ends up without a vector."""
        if len(texts) == 1:
            return [None]
        half = len(texts) // 2
        return [*await self._batch(texts[:half]), *await self._batch(texts[half:])]

    async def _embed_with_retries(self, texts: Sequence[str]) -> list[Vector | None]:
        for attempt in range(1, self._retry_policy.attempts + 1):
            if self._permitted is not None and not await self._permitted(self.name):
                raise ComponentError(f"the circuit of embedder {self.name!r} is open")
            try:
                return self._checked(texts, await self._embedder.embed_many(texts))
            except InvalidRequestError:
                raise
            except ComponentError as error:
                if attempt == self._retry_policy.attempts:
                    raise
                await self._sleep(self._retry_policy.wait_s(attempt, error))
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _checked(self, texts: Sequence[str], embeddings: Sequence[Embedding]) -> list[Vector | None]:
        if len(embeddings) != len(texts):
            raise MalformedReplyError(
                f"embedder {self.name!r} returned {len(embeddings)} vectors for {len(texts)} texts"
            )
        return [self._unit(embedding) for embedding in embeddings]

    def _unit(self, embedding: Embedding) -> Vector | None:
        vector = np.asarray(embedding.vector, np.float32)
        if embedding.space is None or not vector.any():
            return None
        if embedding.space != self.space or vector.shape != (self.space.dimension,):
            raise MalformedReplyError(
                f"embedder {self.name!r} returned a vector in space {embedding.space}, expected {self.space}"
            )
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length):
            raise MalformedReplyError(f"embedder {self.name!r} returned a vector that is not finite")
        return vector / np.float32(length)
