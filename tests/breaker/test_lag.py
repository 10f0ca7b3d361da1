"""A process that stood still learns nothing from its own timeouts."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from ha_rag.breaker.loop_lag import LoopLag
from ha_rag.clock import ManualClock
from tests.ledger.simulated_fleet import LoopTime
from tests.strategy.virtual_time import LoopClock, VirtualLoop


def run(scenario: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(scenario)


class Watched:
    """A watched loop in virtual time."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        self.clock = LoopTime(loop)
        self.lag = LoopLag(self.clock)
        self.task = asyncio.ensure_future(self.lag.watch())

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def test_a_loop_that_turns_in_time_lags_not() -> None:
    async def scenario() -> None:
        watched = Watched()
        began_s = watched.clock.monotonic_s()
        await asyncio.sleep(3)
        assert not watched.lag.since(began_s)
        await watched.end()

    run(scenario())


def test_a_loop_that_stood_still_lagged_for_whoever_began_before_and_for_nobody_after() -> None:
    async def scenario() -> None:
        watched = Watched()
        await asyncio.sleep(1)
        began_s = watched.clock.monotonic_s()
        LoopClock.busy(0.5)
        assert watched.lag.since(began_s)  # even before the watch itself has noticed
        await asyncio.sleep(1)
        assert watched.lag.since(began_s)
        assert not watched.lag.since(watched.clock.monotonic_s())
        await watched.end()

    run(scenario())


def test_a_short_stall_is_borne() -> None:
    async def scenario() -> None:
        watched = Watched()
        await asyncio.sleep(1)
        began_s = watched.clock.monotonic_s()
        LoopClock.busy(0.09)
        await asyncio.sleep(1)
        assert not watched.lag.since(began_s)
        await watched.end()

    run(scenario())


def test_nobody_watches_nobody_lags() -> None:
    clock = ManualClock()
    lag = LoopLag(clock)
    clock.advance(100)
    assert not lag.since(0.0)


def test_a_watch_that_was_ended_no_longer_takes_silence_for_lag() -> None:
    async def scenario() -> None:
        watched = Watched()
        await asyncio.sleep(1)
        await watched.end()
        LoopClock.busy(10)
        assert not watched.lag.since(0.0)

    run(scenario())
