"""A program that is kept running."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from ha_rag.local_fleet.process_supervisor import Ending, ProcessSupervisor, RestartPolicy
from ha_rag.local_fleet.program import Program
from tests.local_fleet import stand_ins
from tests.waiting import PATIENCE_S, until

AT_ONCE = RestartPolicy(first_s=0.001, longest_s=0.001)


class Endings:
    """Collects endings; `wait_for` returns once so many have come."""

    def __init__(self) -> None:
        self.all: list[Ending] = []
        self._news = asyncio.Condition()
        self._pending: set[asyncio.Task[None]] = set()

    def __call__(self, ending: Ending) -> None:
        self.all.append(ending)
        task = asyncio.ensure_future(self._tell())
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_S), self._news:
            await self._news.wait_for(lambda: len(self.all) >= count)


def program(tmp_path: Path, *words: str) -> Program:
    return Program(
        name="stand-in", command=stand_ins.command(*words), environment=dict(os.environ), log=tmp_path / "log"
    )


async def until_ready(supervisor: ProcessSupervisor) -> psutil.Process:
    async with asyncio.timeout(PATIENCE_S):
        await supervisor.was_ready.wait()
    assert supervisor.child is not None
    return psutil.Process(supervisor.child.pid)


async def test_a_program_that_dies_is_started_again(tmp_path: Path) -> None:
    endings = Endings()
    supervisor = ProcessSupervisor(program(tmp_path, "say_and_wait"), endings, AT_ONCE)
    supervisor.start()
    first = await until_ready(supervisor)
    first.kill()
    await endings.wait_for(1)
    assert endings.all[0].how == "was killed by signal 9"
    await until(lambda: supervisor.child is not None and supervisor.child.pid != first.pid)
    assert await supervisor.stop()


async def test_a_program_that_ends_at_once_again_and_again_is_called_looping_with_its_last_words(
    tmp_path: Path,
) -> None:
    endings = Endings()
    supervisor = ProcessSupervisor(program(tmp_path, "fail", "3", "the port is taken"), endings, AT_ONCE)
    supervisor.start()
    await endings.wait_for(3)
    await supervisor.stop()
    assert [ending.looping for ending in endings.all[:3]] == [False, False, True]
    assert endings.all[2].last_words == ["the port is taken"]
    assert endings.all[2].how == "ended with exit code 3"


async def test_a_program_that_lived_long_enough_is_not_looping(tmp_path: Path) -> None:
    endings = Endings()
    patient = RestartPolicy(first_s=0.001, longest_s=0.001, stable_s=0.0)
    supervisor = ProcessSupervisor(program(tmp_path, "fail"), endings, patient)
    supervisor.start()
    await endings.wait_for(4)
    await supervisor.stop()
    assert not any(ending.looping for ending in endings.all)


async def test_stopping_ends_the_process_and_starts_no_other(tmp_path: Path) -> None:
    endings = Endings()
    supervisor = ProcessSupervisor(program(tmp_path, "say_and_wait"), endings, AT_ONCE)
    supervisor.start()
    process = await until_ready(supervisor)
    await supervisor.stop()
    assert not process.is_running()
    assert endings.all == []


@pytest.mark.parametrize("first", ["restart_no_more", "kill"])
async def test_a_program_that_ends_while_its_fleet_stops_is_neither_reported_nor_started_again(
    tmp_path: Path, first: str
) -> None:
    endings = Endings()
    supervisor = ProcessSupervisor(program(tmp_path, "say_and_wait"), endings, AT_ONCE)
    supervisor.start()
    process = await until_ready(supervisor)
    getattr(supervisor, first)()
    process.kill()
    assert supervisor._task is not None
    await asyncio.wait_for(supervisor._task, PATIENCE_S)
    assert await supervisor.stop()
    assert endings.all == []
    assert supervisor.child is not None
    assert supervisor.child.pid == process.pid


async def test_a_program_that_is_killed_while_it_is_being_started_does_not_stay(tmp_path: Path) -> None:
    endings = Endings()
    supervisor = ProcessSupervisor(program(tmp_path, "refuse_to_end"), endings, AT_ONCE)
    supervisor.start()
    await asyncio.sleep(0)
    supervisor.kill()
    assert supervisor._task is not None
    await asyncio.wait_for(supervisor._task, PATIENCE_S)
    assert endings.all == []


async def test_stopping_right_after_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    supervisor = ProcessSupervisor(program(tmp_path, "say_and_wait"), Endings(), AT_ONCE)
    supervisor.start()
    await asyncio.sleep(0)
    await supervisor.stop()
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("early_ends", "pause_s"), [(0, 0.2), (1, 0.2), (2, 0.4), (3, 0.8), (6, 6.4), (7, 10.0), (1000, 10.0)]
)
def test_the_pause_doubles_up_to_its_limit(early_ends: int, pause_s: float) -> None:
    assert RestartPolicy().pause_s(early_ends) == pytest.approx(pause_s)
