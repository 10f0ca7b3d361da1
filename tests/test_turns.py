"""Long work on the event loop lets other tasks run."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from ha_rag.turns import TURN_S, Turns, in_turns


class Slow:
    """Items that take so long each, on the loop's clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, number: int, each_s: float) -> None:
        self._number, self._each_s, self._now_s = number, each_s, 0.0
        monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: self._now_s)

    def __iter__(self) -> Iterator[int]:
        for number in range(self._number):
            self._now_s += self._each_s
            yield number


async def runs_of_another_task(items: Slow) -> int:
    runs = 0

    async def other() -> None:
        nonlocal runs
        while True:
            runs += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    assert [item async for item in in_turns(items)] == list(range(items._number))
    task.cancel()
    return runs


async def test_another_task_runs_after_each_turn(monkeypatch: pytest.MonkeyPatch):
    assert await runs_of_another_task(Slow(monkeypatch, 100, TURN_S / 10)) == 10


async def test_items_that_take_longer_than_a_turn_are_each_a_turn(monkeypatch: pytest.MonkeyPatch):
    assert await runs_of_another_task(Slow(monkeypatch, 7, 2 * TURN_S)) == 7


async def test_work_that_is_short_waits_for_nobody(monkeypatch: pytest.MonkeyPatch):
    assert await runs_of_another_task(Slow(monkeypatch, 100, TURN_S / 1000)) == 0


async def test_a_turn_begins_anew_after_a_wait(monkeypatch: pytest.MonkeyPatch):
    now_s = 0.0
    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: now_s)
    turns = Turns()
    now_s = TURN_S
    await turns.next()
    ran = asyncio.ensure_future(asyncio.sleep(0))
    await turns.next()
    assert not ran.done()
    now_s = 2 * TURN_S
    await turns.next()
    await ran
