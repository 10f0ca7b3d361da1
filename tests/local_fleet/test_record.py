"""What a running fleet leaves behind for the commands typed beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.local_fleet.record import FILE, FleetRecord, running_fleet

MINE = FleetRecord(process=os.getpid(), url="http://127.0.0.1:8500", configuration=Path("/somewhere/ha_rag.toml"))


def process_that_has_ended() -> int:
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", ""])
    process.wait()
    return process.pid


def test_a_running_fleet_is_found_by_its_record(tmp_path: Path) -> None:
    MINE.write(tmp_path)
    assert running_fleet(tmp_path) == MINE


def test_without_a_record_there_is_no_fleet(tmp_path: Path) -> None:
    assert running_fleet(tmp_path / "nowhere") is None


def test_the_record_of_a_fleet_that_was_killed_counts_for_nothing(tmp_path: Path) -> None:
    replace(MINE, process=process_that_has_ended()).write(tmp_path)
    assert running_fleet(tmp_path) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', '{"process": "x", "url": 1, "configuration": 2}'])
def test_a_record_that_cannot_be_read_counts_for_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / FILE).write_text(content)
    assert running_fleet(tmp_path) is None


def test_a_fleet_takes_back_its_own_record_and_no_later_ones(tmp_path: Path) -> None:
    later = replace(MINE, url="http://127.0.0.1:8510")
    MINE.write(tmp_path)
    later.write(tmp_path)

    MINE.remove(tmp_path)
    assert running_fleet(tmp_path) == later
    later.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"fleet\.json cannot be written"):
        MINE.write(tmp_path / "nowhere")
