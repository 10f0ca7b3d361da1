"""`ha-rag learn`: by itself, from a pipe, and at a terminal."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys

from tests.terminal import Terminal
from tests.waiting import PATIENCE_S, until

LEARN = [sys.executable, "-m", "ha_rag", "learn"]


def test_by_itself_it_walks_to_the_end(run):
    result = run("learn", "--auto", "--seed", "7", "--scenario", "opening")
    assert result.exit_code == 0
    assert "1/1  Enough failures, and not before" in result.stdout
    assert "The end: " in result.stdout


def test_a_scenario_that_is_not_there_is_named_beside_those_that_are(run):
    result = run("learn", "--scenario", "openings")
    assert result.exit_code != 0
    assert "there is no 'openings'; one of normal, embedders, retrieval" in " ".join(result.output.split())


def test_without_a_terminal_it_reads_lines_and_leaves_at_their_end():
    walked = subprocess.run(
        [*LEARN, "--scenario", "normal"],
        input="ajar\nclosed\n\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (walked.returncode, walked.stderr) == (0, "")
    assert walked.stdout.endswith("The end: 1 of 1 predictions were right.\n")
    assert "\x1b" not in walked.stdout
    assert "(closed, open or half-open; Enter: no guess) ajar\n'ajar' is no state." in walked.stdout
    assert "(c, o, h will do): closed\n  Question:" in walked.stdout, "reads as if somebody had typed it"


async def test_ctrl_c_at_a_prompt_leaves_the_walk_with_the_score():
    terminal = Terminal(LEARN, 100, 40, {})
    try:
        await until(lambda: "will embedder.primary be?" in terminal.text)
        terminal.types("open\r")
        await until(lambda: "q to leave" in terminal.text)
        assert "Not so" in terminal.text
        terminal.process.send_signal(signal.SIGINT)
        await until(lambda: "Left before the end: 0 of 1 predictions were right." in terminal.text)
        assert await asyncio.to_thread(terminal.process.wait, PATIENCE_S) == 0
        assert "Traceback" not in terminal.text
    finally:
        terminal.close()
