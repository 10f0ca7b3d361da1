"""`ha-rag watch` in a terminal: it draws, follows, takes the size it is given, and leaves the terminal as it was."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fleet.processes import HA_RAG, Fleet
from tests.terminal import ANSI, LEAVE_SCREEN, SHOW_CURSOR, Terminal
from tests.waiting import until

pytestmark = pytest.mark.fleet


@contextmanager
def watching(*words: str, environment: dict[str, str] | None = None) -> Iterator[Terminal]:
    terminal = Terminal([*HA_RAG, "watch", *words], 120, 40, environment or {})
    try:
        yield terminal
    finally:
        terminal.close()


async def test_it_follows_the_fleet_takes_a_new_size_and_leaves_the_terminal_as_it_was(fleet: Fleet) -> None:
    with watching("--url", fleet.replicas[0].url) as terminal:
        await until(lambda: "embedder.primary" in terminal.frame, within_s=20)
        assert all(replica.name in terminal.frame for replica in fleet.replicas)
        await fleet.provider.fail("embeddings")
        for _ in range(3):
            await fleet.replicas[0].ask()
        await until(lambda: re.search(r"embedder\.primary\s+open", terminal.frame) is not None, within_s=5)

        terminal.resize(64, 20)
        terminal.process.send_signal(signal.SIGWINCH)
        await until(lambda: 0 < terminal.widest() <= 64, within_s=5)
        assert len(terminal.frame.splitlines()) <= 20

        terminal.process.send_signal(signal.SIGINT)
        await asyncio.to_thread(terminal.process.wait, 10)
        await until(lambda: terminal.text.rstrip().endswith(SHOW_CURSOR) or SHOW_CURSOR in terminal.text[-200:])
        assert terminal.process.returncode in (0, 130)
        assert LEAVE_SCREEN in terminal.text
        assert "Traceback" not in terminal.text


@pytest.mark.parametrize("variable", ["NO_COLOR", "TERM"])
async def test_without_colour_the_words_say_it(fleet: Fleet, variable: str) -> None:
    value = {"NO_COLOR": "1", "TERM": "dumb"}[variable]
    with watching("--once", "--url", fleet.replicas[0].url, environment={variable: value}) as terminal:
        await asyncio.to_thread(terminal.process.wait, 20)
        await until(lambda: "embedder.primary" in terminal.text)
    assert re.search(r"embedder\.primary\s+(\S )?closed", ANSI.sub("", terminal.text))
    assert re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.text) is None


async def test_a_fleet_that_no_longer_answers_is_said_to_and_comes_back(fleet: Fleet) -> None:
    replica = fleet.replicas[2]
    with watching("--url", replica.url) as terminal:
        await until(lambda: "embedder.primary" in terminal.frame, within_s=20)
        replica.pause()
        try:
            await until(lambda: "not live" in terminal.frame.lower() or "since" in terminal.frame, within_s=15)
        finally:
            replica.resume()
        await until(lambda: "since" not in terminal.frame, within_s=15)
