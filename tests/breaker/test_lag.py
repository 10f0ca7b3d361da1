"""LoopLag: timeouts do not count while the event loop was blocked."""

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


def test_a_responsive_loop_has_no_lag() -> None:
    async def scenario() -> None:
        watched = Watched()
        began_s = watched.clock.monotonic_s()
        await asyncio.sleep(3)
        assert not watched.lag.since(began_s)
        await watched.end()

    run(scenario())


def test_a_blocked_loop_lagged_for_calls_that_began_before_and_not_after() -> None:
    async def scenario() -> None:
        watched = Watched()
        await asyncio.sleep(1)
        began_s = watched.clock.monotonic_s()
        LoopClock.busy(0.5)
        assert watched.lag.since(began_s)  # even before the watch has run again
        await asyncio.sleep(1)
        assert watched.lag.since(began_s)
        assert not watched.lag.since(watched.clock.monotonic_s())
        await watched.end()

    run(scenario())


def test_a_short_stall_is_tolerated() -> None:
    async def scenario() -> None:
        watched = Watched()
        await asyncio.sleep(1)
        began_s = watched.clock.monotonic_s()
        LoopClock.busy(0.09)
        await asyncio.sleep(1)
        assert not watched.lag.since(began_s)
        await watched.end()

    run(scenario())


def test_there_is_no_lag_before_the_watch_starts() -> None:
    clock = ManualClock()
    lag = LoopLag(clock)
    clock.advance(100)
    assert not lag.since(0.0)


def test_a_cancelled_watch_reports_no_lag() -> None:
    async def scenario() -> None:
        watched = Watched()
        await asyncio.sleep(1)
        await watched.end()
        LoopClock.busy(10)
        assert not watched.lag.since(0.0)

    run(scenario())
