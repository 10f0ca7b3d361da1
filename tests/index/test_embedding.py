"""Embedding for the index: retries, open circuits, and which vectors are accepted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ha_rag.components.script import Script
from ha_rag.errors import ConfigurationError, InvalidRequestError, ServiceError, ThrottledError
from ha_rag.index.embedding import TEXTS_AT_ONCE, RetryPolicy, SpaceFiller
from ha_rag.messages import Embedding
from tests.index.places import OTHER, SPACE, TestEmbedder, unit

THREE_ATTEMPTS = RetryPolicy(attempts=3, first_wait_s=1.0, longest_wait_s=30.0)


class _Waits:
    """A sleep that only remembers how long it was to be."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def _filler(embedder: TestEmbedder, waits: _Waits | None = None, **more) -> SpaceFiller:
    return SpaceFiller("primary", embedder, retry_policy=THREE_ATTEMPTS, sleep=waits or _Waits(), **more)


async def test_every_text_gets_a_unit_vector() -> None:
    filler = _filler(TestEmbedder())
    vectors = await filler.vectors(["zebra", "lion"])
    assert all(vector is not None and np.linalg.norm(vector) == pytest.approx(1.0) for vector in vectors)
    assert (filler.filled, filler.down) == (2, None)


async def test_many_texts_are_embedded_in_batches() -> None:
    embedder = TestEmbedder()
    await _filler(embedder).vectors(["zebra"] * (TEXTS_AT_ONCE + 1))
    assert embedder.asked == [TEXTS_AT_ONCE, 1]


async def test_a_failed_call_is_repeated_with_growing_waits() -> None:
    waits = _Waits()
    filler = _filler(TestEmbedder(script=Script.failing(first=2)), waits)
    assert (await filler.vectors(["zebra"]))[0] is not None
    assert waits.seconds == [1.0, 2.0]


@pytest.mark.parametrize(("asked_s", "waited_s"), [(7.0, 7.0), (0.1, 1.0), (999.0, 30.0)])
async def test_a_retry_after_is_respected_up_to_the_longest_wait(asked_s: float, waited_s: float) -> None:
    waits = _Waits()
    filler = _filler(TestEmbedder(script=Script(ThrottledError("rest", retry_after_s=asked_s))), waits)
    await filler.vectors(["zebra"])
    assert waits.seconds == [waited_s]


async def test_a_service_that_stays_down_leaves_gaps_with_a_reason_and_is_not_called_again() -> None:
    embedder = TestEmbedder(script=Script.always(ServiceError("503 from upstream")))
    filler = _filler(embedder)
    assert await filler.vectors(["a"] * (TEXTS_AT_ONCE + 5)) == [None] * (TEXTS_AT_ONCE + 5)
    assert await filler.vectors(["b"]) == [None]
    assert filler.down == "503 from upstream"
    assert len(embedder.asked) == THREE_ATTEMPTS.attempts


async def test_one_refused_text_does_not_keep_others_from_being_embedded() -> None:
    class Strict(TestEmbedder):
        async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
            if "too long" in texts:
                raise InvalidRequestError("too long", status=400)
            return await super().embed_many(texts)

    filler = _filler(Strict())
    vectors = await filler.vectors(["a", "b", "too long", "c"])
    assert [vector is None for vector in vectors] == [False, False, True, False]
    assert filler.down is None


async def test_an_open_circuit_prevents_the_call() -> None:
    async def permitted(name: str) -> bool:
        return name != "primary"

    embedder = TestEmbedder()
    filler = _filler(embedder, permitted=permitted)
    assert await filler.vectors(["zebra"]) == [None]
    assert embedder.asked == []
    assert "circuit of embedder 'primary' is open" in str(filler.down)


@pytest.mark.parametrize(
    "reply",
    [
        [],
        [Embedding(unit(1), OTHER)],
        [Embedding(unit(1, 16), SPACE)],
        [Embedding(np.full(32, np.nan, np.float32), SPACE)],
        [Embedding(np.full(32, np.inf, np.float32), SPACE)],
    ],
    ids=["nothing", "another space", "another width", "not a number", "infinite"],
)
async def test_a_vector_that_does_not_fit_the_space_is_rejected(reply: list[Embedding]) -> None:
    class Odd(TestEmbedder):
        async def embed_many(self, texts: Sequence[str]) -> list[Embedding]:
            return reply

    filler = _filler(Odd())
    assert await filler.vectors(["zebra"]) == [None]
    assert "primary" in str(filler.down)


async def test_a_zero_vector_leaves_a_gap_and_is_not_a_failure() -> None:
    filler = _filler(TestEmbedder())
    assert await filler.vectors(["?!"]) == [None]
    assert filler.down is None


def test_an_invalid_retry_policy_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="attempts must be at least 1"):
        RetryPolicy(attempts=0)
