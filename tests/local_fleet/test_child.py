"""A child process: how it starts, what it leaves behind, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from ha_rag.local_fleet.child import Child
from ha_rag.local_fleet.program import Program
from tests.local_fleet import stand_ins
from tests.waiting import has_ended, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and process groups are not Windows's way")


def program(tmp_path: Path, *words: str, patience_s: float = 10.0) -> Program:
    return Program(
        name="stand-in",
        command=stand_ins.command(*words),
        environment=dict(os.environ),
        log=tmp_path / "stand-in.log",
        patience_s=patience_s,
    )


async def until_it_says(log: Path, text: str) -> None:
    await until(lambda: log.exists() and text in log.read_text())


async def test_a_child_is_asked_to_end_and_ends(tmp_path: Path) -> None:
    child = await Child.start(program(tmp_path, "say_and_wait"))
    await until_it_says(tmp_path / "stand-in.log", "here")
    assert await child.stop()
    assert not psutil.pid_exists(child.pid)


async def test_a_child_that_does_not_listen_is_killed_after_its_patience(tmp_path: Path) -> None:
    child = await Child.start(program(tmp_path, "refuse_to_end", patience_s=0.1))
    await until_it_says(tmp_path / "stand-in.log", "deaf")
    assert not await child.stop()
    assert await child.wait() == -signal.SIGKILL


async def test_stopping_a_child_that_has_ended_already_is_no_error(tmp_path: Path) -> None:
    child = await Child.start(program(tmp_path, "fail"))
    assert await child.wait() == 3
    assert await child.stop()


async def test_last_words_are_what_this_very_process_wrote(tmp_path: Path) -> None:
    first = await Child.start(program(tmp_path, "fail", "1", "the first one's words"))
    await first.wait()
    second = await Child.start(program(tmp_path, "fail", "1", "the second one's words"))
    await second.wait()
    assert second.last_words() == ["the second one's words"]
    assert "the first one's words" in (tmp_path / "stand-in.log").read_text()


async def test_a_program_that_ends_while_it_is_being_started_keeps_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = asyncio.create_subprocess_exec

    async def start_and_let_end(*command: str, **how: Any) -> asyncio.subprocess.Process:
        process = await start(*command, **how)
        await process.wait()
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start_and_let_end)
    child = await Child.start(program(tmp_path, "fail", "1", "the port is taken"))
    assert child.last_words() == ["the port is taken"]


async def test_last_words_survive_bytes_that_are_no_text(tmp_path: Path) -> None:
    child = await Child.start(program(tmp_path, "fail"))
    await child.wait()
    with (tmp_path / "stand-in.log").open("ab") as log:
        log.write(b"\xff\xfe broken\n")
    assert child.last_words()[-1].endswith("broken")


async def test_a_large_log_is_set_aside_at_the_next_start(tmp_path: Path) -> None:
    log = tmp_path / "stand-in.log"
    log.write_bytes(b"x" * 2_000_001)
    child = await Child.start(program(tmp_path, "fail"))
    await child.wait()
    assert log.stat().st_size < 1_000
    assert (tmp_path / "stand-in.log.1").stat().st_size == 2_000_001


async def test_a_program_that_is_not_there_is_told_of_in_its_log(tmp_path: Path) -> None:
    missing = Program(
        name="missing", command=("/no/such/program",), environment=dict(os.environ), log=tmp_path / "missing.log"
    )
    child = await Child.start(missing)
    assert await child.wait() != 0
    assert child.last_words() == ["/no/such/program: No such file or directory"]


@pytest.mark.parametrize("how", [[], ["--watch"]], ids=["kernel", "watcher"])
async def test_a_child_does_not_outlive_a_parent_that_is_killed(how: list[str]) -> None:
    parent = subprocess.Popen(
        stand_ins.command("parent", *how, *stand_ins.command("say_and_wait")), stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        child = psutil.Process(int(output.readline()))
        assert output.readline() == "here\n"
        family = [child, *child.children()]
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        await until(lambda: all(has_ended(one) for one in family))


def test_a_watched_program_ends_with_its_watcher_and_hands_on_its_exit_code() -> None:
    watchdog = Path(__file__).parents[2] / "ha_rag" / "local_fleet" / "parent_watchdog.py"
    command = [sys.executable, "-I", "-S", str(watchdog), str(os.getpid()), "--watch", *stand_ins.command("fail", "7")]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 7
