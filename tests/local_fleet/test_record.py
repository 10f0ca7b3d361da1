"""What a running fleet leaves behind for the commands typed beside it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.held_lock import HeldLock
from ha_rag.local_fleet.record import FILE, LOCK, FleetRecord, running_fleet

MINE = FleetRecord(process=os.getpid(), url="http://127.0.0.1:8500", configuration=Path("/somewhere/ha_rag.toml"))


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Path]:
    """The folder of a fleet that runs."""
    lock = HeldLock(tmp_path / LOCK)
    assert lock.acquire()
    yield tmp_path
    lock.release()


def test_a_running_fleet_is_found_by_its_record(running: Path) -> None:
    MINE.write(running)
    assert running_fleet(running) == MINE


def test_without_a_record_there_is_no_fleet(tmp_path: Path) -> None:
    assert running_fleet(tmp_path / "nowhere") is None


def test_the_record_of_a_fleet_that_was_killed_counts_for_nothing_even_if_its_number_is_used_again(
    tmp_path: Path,
) -> None:
    MINE.write(tmp_path)  # with the number of a process that runs: this one
    assert running_fleet(tmp_path) is None


OLD: dict[str, object] = {"url": "http://127.0.0.1:8500", "configuration": None}
"""A record of version 0.1.0, which holds no lock."""


def test_a_fleet_of_0_1_0_that_runs_is_found(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print(flush=True); input()", "ha-rag", "up"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (tmp_path / FILE).write_text(json.dumps({**OLD, "process": process.pid}))
        assert running_fleet(tmp_path) == FleetRecord(process=process.pid, url=MINE.url, locks=False)
        process.communicate(b"\n")
    assert running_fleet(tmp_path) is None


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="only there a process tells what it is")
def test_a_process_that_has_the_number_of_a_fleet_of_0_1_0_is_not_taken_for_it(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        (tmp_path / FILE).write_text(json.dumps({**OLD, "process": process.pid}))
        assert running_fleet(tmp_path) is None
        process.kill()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', '{"process": "x", "url": 1, "configuration": 2}'])
def test_a_record_that_cannot_be_read_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert running_fleet(tmp_path) is None


def test_a_fleet_takes_back_its_own_record_and_no_later_ones(running: Path) -> None:
    later = replace(MINE, url="http://127.0.0.1:8510")
    MINE.write(running)
    later.write(running)

    MINE.remove(running)
    assert running_fleet(running) == later
    later.remove(running)
    assert [file.name for file in running.iterdir()] == [LOCK]


def test_a_folder_that_takes_no_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"fleet\.json cannot be written"):
        MINE.write(tmp_path / "nowhere")
