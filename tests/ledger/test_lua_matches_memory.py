"""The rules exist in Python and in Lua: random histories must lead to the same circuits in both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given

from tests.depth import deep
from tests.ledger.bench import MemoryBench, RedisBench
from tests.ledger.histories import History, histories


async def both_agree(bench: RedisBench, drawn: tuple[list[str], list[tuple[Any, ...]]]) -> None:
    policies, steps = drawn
    await bench.start()
    run = History(policies, MemoryBench(), bench)
    for step in steps:
        await run.take(step)
    in_memory, in_redis = await run.event_streams()
    assert in_memory == in_redis


@pytest.mark.real_redis
@deep(100)
@given(drawn=histories)
async def test_the_memory_ledger_and_a_real_redis_agree_on_random_histories(
    client_of: Callable[[str], Any], drawn: Any
) -> None:
    client = client_of("redis RESP2")
    try:
        await both_agree(RedisBench(client), drawn)
    finally:
        await client.aclose()


@deep(25)
@given(drawn=histories)
async def test_the_memory_ledger_and_fakeredis_agree_on_random_histories(
    client_of: Callable[[str], Any], drawn: Any
) -> None:
    await both_agree(RedisBench(client_of("fakeredis")), drawn)
