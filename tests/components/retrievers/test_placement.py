"""Where a search runs: on the event loop while searches are short, else in a thread."""

from __future__ import annotations

import asyncio
import threading

import pytest

from ha_rag.components.retrievers.placement import LONGEST_ON_LOOP_S, REMEMBERED, UNUSUAL, Placement

SHORT_S = LONGEST_ON_LOOP_S / 2
LONG_S = LONGEST_ON_LOOP_S * 2
TOO_LONG_S = 30.0


class Searches:
    """Searches that take as long as they are told, by a clock that only they move, and say which thread they ran in."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.placement = Placement(clock=lambda: self.now_s)

    async def on_loop(self, took_s: float, corpus: str = "a.1") -> bool:
        """Whether a search that takes `took_s` ran on the event loop."""

        def search() -> str:
            self.now_s += took_s
            return threading.current_thread().name

        return await self.placement.run(corpus, search) == threading.current_thread().name


async def test_the_first_search_runs_in_a_thread_since_nobody_knows_how_long_it_takes() -> None:
    assert not await Searches().on_loop(SHORT_S)


async def test_short_searches_run_on_the_event_loop() -> None:
    searches = Searches()
    assert [await searches.on_loop(SHORT_S) for _ in range(4)] == [False, True, True, True]


async def test_long_searches_never_do() -> None:
    searches = Searches()
    assert [await searches.on_loop(LONG_S) for _ in range(3 * REMEMBERED)] == [False] * 3 * REMEMBERED


async def test_a_search_that_just_reaches_the_limit_is_short() -> None:
    searches = Searches()
    await searches.on_loop(LONGEST_ON_LOOP_S)
    assert await searches.on_loop(LONGEST_ON_LOOP_S)


async def test_after_a_long_search_the_next_ones_run_in_a_thread_until_it_stands_out() -> None:
    searches = Searches()
    await searches.on_loop(SHORT_S)
    assert await searches.on_loop(LONG_S)
    assert [await searches.on_loop(SHORT_S) for _ in range(UNUSUAL)] == [False] * (UNUSUAL - 2) + [True] * 2


async def test_single_long_searches_among_short_ones_change_nothing() -> None:
    searches = Searches()
    for _ in range(REMEMBERED):
        await searches.on_loop(SHORT_S)
    took_s = [LONG_S, *[SHORT_S] * (UNUSUAL - 1)] * 4
    assert [await searches.on_loop(each_s) for each_s in took_s] == [True] * len(took_s)


async def test_more_long_searches_than_stand_out_run_in_a_thread_until_they_are_forgotten() -> None:
    searches, several = Searches(), REMEMBERED // UNUSUAL + 1
    for _ in range(REMEMBERED):
        await searches.on_loop(SHORT_S)
    for _ in range(several):
        await searches.on_loop(LONG_S)
    in_a_thread = REMEMBERED - several + 1
    assert [await searches.on_loop(SHORT_S) for _ in range(in_a_thread + 1)] == [False] * in_a_thread + [True]


async def test_a_new_state_of_the_index_is_measured_anew() -> None:
    searches = Searches()
    await searches.on_loop(LONG_S, "a.1")
    assert [await searches.on_loop(SHORT_S, "a.2") for _ in range(2)] == [False, True]
    assert [await searches.on_loop(SHORT_S, "a.3") for _ in range(2)] == [False, True]


async def test_the_event_loop_goes_on_while_a_long_search_is_under_way() -> None:
    searches, loop_went_on = Searches(), threading.Event()
    await searches.on_loop(LONG_S)
    searching = asyncio.ensure_future(searches.placement.run("a.1", lambda: loop_went_on.wait(TOO_LONG_S)))
    asyncio.get_running_loop().call_soon(loop_went_on.set)
    assert await searching


async def test_a_search_that_fails_says_so_and_is_no_measure() -> None:
    searches = Searches()

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await searches.placement.run("a.1", fail)
    assert not await searches.on_loop(SHORT_S)
    assert await searches.on_loop(SHORT_S)


async def test_time_is_measured_in_the_thread_that_searches() -> None:
    asked: set[str] = set()

    def clock() -> float:
        asked.add(threading.current_thread().name)
        return 0.0

    ran_in = await Placement(clock).run("a.1", lambda: threading.current_thread().name)
    assert asked == {ran_in}
