"""A question that is cancelled, as one is whose client has left: its call ends with it, unless it is a probe."""

from __future__ import annotations

import asyncio

import pytest

from ha_rag.outcomes import Outcome
from tests.strategy.scripted import HANGS, Scripted, ScriptedStream
from tests.strategy.virtual_time import in_virtual_time
from tests.system.rag import Bench


async def asked(bench: Bench, streamed: bool) -> None:
    if streamed:
        async for _ in bench.rag.stream("How?"):
            pass
    else:
        await bench.rag.query("How?")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(("after_s", "outcome"), [(0.1, Outcome.CANCELLED), (0.6, Outcome.TIMEOUT)])
def test_a_question_that_is_cancelled_cancels_its_call_which_counts_only_if_it_was_late(
    streamed: bool, after_s: float, outcome: Outcome
) -> None:
    """The generator's timeout is 1 s; a second tier is not asked."""
    hanging, second = ScriptedStream((HANGS,)) if streamed else Scripted((HANGS,)), Scripted()
    bench = Bench(generators=[hanging, second])

    async def left() -> None:
        asking = asyncio.ensure_future(asked(bench, streamed))
        await asyncio.sleep(after_s)
        asking.cancel()
        await asyncio.wait({asking})

    in_virtual_time(left)
    assert (hanging.cancelled, second.calls) == (1, [])
    assert bench.circuits["generator.t1"].reported == [outcome]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_probe_continues_when_its_question_is_cancelled_before_the_first_piece(streamed: bool) -> None:
    generator = ScriptedStream((HANGS, "It waits.")) if streamed else Scripted((HANGS,))
    bench = Bench(generators=[generator])
    bench.circuits["generator.t1"].probing = True

    async def left() -> None:
        asking = asyncio.ensure_future(asked(bench, streamed))
        await asyncio.sleep(0.1)
        asking.cancel()
        await asyncio.wait({asking})
        assert generator.released is not None
        generator.released.set()
        await bench.rag.aclose()

    in_virtual_time(left)
    assert (generator.cancelled, bench.circuits["generator.t1"].reported) == (0, [Outcome.OK])
