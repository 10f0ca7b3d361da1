"""What takes longer than a moment says so, where somebody looks on, and nowhere else."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest

from tests.terminal import SHOW_CURSOR, Terminal
from tests.waiting import PATIENCE_S

HA_RAG = [sys.executable, "-m", "ha_rag"]


@pytest.mark.parametrize(
    ("words", "says"), [(["check"], "trying every component once"), (["ask", "?", "--url", "{url}"], "asking")]
)
async def test_at_a_terminal_a_command_says_what_it_waits_for_and_takes_it_back(words, says, own_folder, replica):
    given = [word.format(url=replica.url) for word in words]
    terminal = Terminal([*HA_RAG, *given], 100, 30, {}, own_folder)
    try:
        await asyncio.to_thread(terminal.process.wait, PATIENCE_S)
        terminal.ended()
        assert f"{says} ..." in terminal.plain
        assert SHOW_CURSOR in terminal.text
    finally:
        terminal.close()


def test_a_program_that_reads_along_gets_nothing_of_it(own_folder):
    done = subprocess.run([*HA_RAG, "check"], cwd=own_folder, capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
