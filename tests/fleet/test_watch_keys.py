"""`ha-rag watch` steered by keys, in a real terminal against a real fleet, and what it leaves of the terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.fleet.processes import HA_RAG, Fleet
from tests.terminal import LEAVE_SCREEN, SHOW_CURSOR, Terminal
from tests.waiting import until

pytestmark = pytest.mark.fleet

FOOT = "q quit"
REASON = "maintenance of the provider"


@contextmanager
def watching(*words: str, columns: int = 100, lines: int = 40, **environment: str) -> Iterator[Terminal]:
    terminal = Terminal([*HA_RAG, "watch", *words], columns, lines, environment)
    try:
        yield terminal
    finally:
        terminal.close()


async def shows(terminal: Terminal, text: str, within_s: float = 20) -> None:
    await until(lambda: text in _flat(terminal.frame), within_s=within_s)


def _flat(frame: str) -> str:
    """A frame's text, however it is broken into lines."""
    return " ".join(frame.split())


def line_of(terminal: Terminal, name: str) -> str:
    """The row of a circuit."""
    return next(
        (line for line in terminal.frame.splitlines() if re.match(rf"[> ] {re.escape(name)} +[●■◐○] ", line)), ""
    )


async def ended(terminal: Terminal) -> int:
    code = await asyncio.to_thread(terminal.process.wait, 10)
    await until(lambda: LEAVE_SCREEN in terminal.text)
    return code


async def test_keys_select_a_circuit_show_its_history_and_quit(fleet: Fleet) -> None:
    with watching("--url", fleet.replicas[0].url) as terminal:
        await shows(terminal, FOOT)
        assert line_of(terminal, "embedder.primary").startswith(">")
        terminal.types("\x1b[B")
        await until(lambda: line_of(terminal, "embedder.secondary").startswith(">"))
        terminal.types("k")
        await until(lambda: line_of(terminal, "embedder.primary").startswith(">"))
        terminal.types("\r")
        await shows(terminal, "one state for the fleet")
        terminal.types("\x1b")
        await until(lambda: bool(line_of(terminal, "embedder.primary")))
        terminal.types("?")
        await shows(terminal, "disable: calls are let through")
        terminal.types("q")

        assert await ended(terminal) == 0
        assert "Traceback" not in terminal.text


async def test_an_order_is_told_before_given_with_a_reason_and_undone(fleet: Fleet) -> None:
    asked = fleet.replicas[0]
    with watching("--url", asked.url) as terminal:
        await shows(terminal, FOOT)
        terminal.types("o")
        await shows(terminal, "open embedder.primary: 3 replicas; ")
        assert "instead" in _flat(terminal.frame)
        terminal.types(f"{REASON}\r")
        await shows(terminal, "for how many seconds")
        terminal.types("600\r")
        await shows(terminal, "To undo: a, or ha-rag circuits auto embedder.primary")
        await until(lambda: "■ open (override: open)" in line_of(terminal, "embedder.primary"))
        await shows(terminal, REASON)
        told = await fleet.replicas[1].circuit("embedder.primary")
        assert (told["override"]["mode"], told["override"]["reason"]) == ("open", REASON)

        terminal.types("a")
        await shows(terminal, "it becomes half-open: the next calls are its probes")
        terminal.types("\r")
        await shows(terminal, "embedder.primary is left to itself again in 3 replicas")
        assert (await fleet.replicas[2].circuit("embedder.primary"))["override"] is None
        terminal.types("q")
        assert await ended(terminal) == 0


async def test_an_order_may_go_straight_into_redis(fleet: Fleet, tmp_path: Path) -> None:
    (tmp_path / "ha_rag.toml").write_text('[fleet]\nnamespace = "test"\n')
    with watching("--url", fleet.redis.url, "--config", str(tmp_path / "ha_rag.toml")) as terminal:
        await shows(terminal, FOOT)
        terminal.types("s")
        await shows(terminal, "shadow embedder.primary: 3 replicas; ")
        terminal.types(f"{REASON}\r\r")
        await shows(terminal, "embedder.primary is in shadow in 3 replicas")
        assert (await fleet.replicas[1].circuit("embedder.primary"))["override"]["mode"] == "shadow"


ENDINGS = {
    signal.SIGINT: 130,
    signal.SIGTERM: 143,
    signal.SIGHUP: 129,
    signal.SIGQUIT: 131,
}


@pytest.mark.parametrize(("number", "code"), ENDINGS.items(), ids=str)
async def test_whatever_ends_it_the_terminal_is_as_it_was(fleet: Fleet, number: signal.Signals, code: int) -> None:
    with watching("--url", fleet.replicas[0].url) as terminal:
        before = terminal.modes()
        await shows(terminal, FOOT)
        assert not terminal.modes()[3] & (termios.ECHO | termios.ICANON)
        terminal.process.send_signal(number)

        assert await ended(terminal) == code
        assert terminal.modes() == before
        assert SHOW_CURSOR in terminal.text[-200:]
        assert "Traceback" not in terminal.text


async def test_ctrl_z_gives_the_terminal_back_and_it_goes_on_afterwards(fleet: Fleet) -> None:
    with watching("--url", fleet.replicas[0].url) as terminal:
        before = terminal.modes()
        await shows(terminal, FOOT)
        process = psutil.Process(terminal.process.pid)
        # As a shell does: a process group of a session without one is not stopped by the terminal's own signal.
        os.kill(process.pid, signal.SIGTSTP)
        await until(lambda: LEAVE_SCREEN in terminal.text and terminal.modes() == before)
        seen = len(terminal.text)
        os.kill(process.pid, signal.SIGCONT)

        await until(lambda: FOOT in terminal.text[seen:])
        assert not terminal.modes()[3] & termios.ICANON
        terminal.types("q")
        assert await asyncio.to_thread(terminal.process.wait, 10) == 0
        assert terminal.modes() == before


async def test_a_stop_that_nobody_can_handle_does_not_leave_the_terminal_in_the_modes_of_a_shell(fleet: Fleet) -> None:
    with watching("--url", fleet.replicas[0].url) as terminal:
        before = terminal.modes()
        await shows(terminal, FOOT)
        os.kill(terminal.process.pid, signal.SIGSTOP)
        terminal.set_modes(before)
        os.kill(terminal.process.pid, signal.SIGCONT)

        await until(lambda: not terminal.modes()[3] & termios.ICANON)
        terminal.types("q")
        assert await asyncio.to_thread(terminal.process.wait, 10) == 0


@pytest.mark.parametrize(("columns", "lines"), [(60, 24), (80, 24), (100, 30), (140, 40)])
async def test_the_whole_screen_fits_at_every_width(fleet: Fleet, columns: int, lines: int) -> None:
    await fleet.replicas[0].ask()
    with watching("--url", fleet.replicas[0].url, columns=columns, lines=lines) as terminal:
        await shows(terminal, FOOT)
        # A frame arrives in pieces.
        await until(lambda: bool(re.search(r"^embedder .* → retriever .* → generator ", terminal.frame, re.MULTILINE)))

        assert terminal.widest() <= columns
        assert len(terminal.frame.splitlines()) <= lines


async def test_without_a_terminal_for_keys_it_is_shown_without_them(fleet: Fleet) -> None:
    command = ["sh", "-c", 'exec "$@" </dev/null', "sh", *HA_RAG, "watch", "--url", fleet.replicas[0].url]
    deaf = Terminal(command, 100, 40, {})
    try:
        await until(lambda: "embedder.primary" in deaf.frame, within_s=20)
        assert FOOT not in deaf.frame
    finally:
        deaf.close()
