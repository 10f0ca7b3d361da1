"""A child process: started with its output in a file, asked to end, then made to; it never outlives this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from ha_rag.local_fleet.program import Program

_TETHER = Path(__file__).with_name("tether.py")
_LOG_LIMIT_BYTES = 2_000_000
_TAIL_BYTES = 8_000


class Child:
    """One running process of a program. For the event loop that started it."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, log_start: int) -> None:
        self.program = program
        self._process = process
        self._log_start = log_start

    @classmethod
    async def start(cls, program: Program) -> Child:
        """Starts `program`. Raises OSError where it cannot be started."""
        _rotate(program.log)
        with program.log.open("ab") as log:
            # Before the start: the position is shared with the child, which may have written and ended afterwards.
            log_start = log.tell()
            process = await asyncio.create_subprocess_exec(
                *tethered(program.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(program.environment),
                # A group of its own: Ctrl-C reaches this process alone, which then ends the fleet in order.
                start_new_session=True,
            )
            return cls(program, process, log_start)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def wait(self) -> int:
        """Its exit code once it has ended; minus the signal's number where a signal ended it."""
        return await self._process.wait()

    async def stop(self) -> bool:
        """Ends it: SIGTERM, then SIGKILL after the program's patience. True where it ended by itself in time."""
        if self._process.returncode is not None:
            return True
        self._signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.wait(), self.program.patience_s)
        except TimeoutError:
            self.kill()
            await self.wait()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL, to it and to whatever it started."""
        self._signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)

    def last_words(self, lines: int = 15) -> list[str]:
        """The last lines that this very process wrote."""
        with self.program.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_start, size - _TAIL_BYTES))
            text = log.read().decode("utf-8", "replace")
        return [line.rstrip() for line in text.splitlines() if line.strip()][-lines:]

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is not None:
            return
        if sys.platform == "win32":
            self._process.terminate()
            return
        # It may just have ended by itself, before the event loop heard of it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def tethered(command: tuple[str, ...]) -> tuple[str, ...]:
    """`command`, run so that it ends when this process does (not on Windows, where it may be left behind)."""
    if sys.platform == "win32":
        return command
    return (sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *command)


def _rotate(log: Path) -> None:
    """Keeps one older file, so that a fleet that runs for months does not fill the disk with what it said."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
