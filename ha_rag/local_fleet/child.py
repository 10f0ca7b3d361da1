"""Child: one process whose output goes to a file. Stopped with SIGTERM, then SIGKILL; never outlives this process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path

from ha_rag.local_fleet.program import Program

_PARENT_WATCHDOG = Path(__file__).with_name("parent_watchdog.py")
_LOG_LIMIT_BYTES = 2_000_000
_TAIL_BYTES = 8_000


class Child:
    """One running process of a program. Used on the event loop that started it."""

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
                *ends_with_parent(program.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(program.environment),
                # A process group of its own: Ctrl-C reaches only this process, which stops the fleet in order.
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
        """Stops it: SIGTERM, then SIGKILL after `patience_s`. True if SIGKILL was not needed."""
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
        """Sends SIGKILL to it and to its children."""
        self._signal(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)

    def last_words(self, lines: int = 15) -> list[str]:
        """The last lines that this process wrote."""
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
        # It may have ended already, before the event loop noticed.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


def ends_with_parent(command: tuple[str, ...]) -> tuple[str, ...]:
    """`command`, run so that it ends when this process does (not on Windows, where it may outlive it)."""
    if sys.platform == "win32":
        return command
    return (sys.executable, "-I", "-S", str(_PARENT_WATCHDOG), str(os.getpid()), *command)


def _rotate(log: Path) -> None:
    """Keeps one older file, so that the log of a fleet that runs for months does not fill the disk."""
    if log.exists() and log.stat().st_size > _LOG_LIMIT_BYTES:
        log.replace(log.with_suffix(log.suffix + ".1"))
