"""KeyTerminal: a terminal that hands over each key at once, and is left as it was found, however the command ends.

Signals are only noted by their handlers, and obeyed between two frames: so none of them interrupts an escape sequence,
nor the restoring itself. Ctrl-Z suspends, and `fg` draws the screen again.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import termios
import tty
from collections.abc import Iterator
from types import FrameType
from typing import Any, Protocol

import typer

from ha_rag.cli.key_decoder import KeyDecoder

ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
NOTED = (*ENDING, signal.SIGINT, signal.SIGTSTP, signal.SIGCONT)
ESCAPE_S = 0.05
"""What follows an escape within this time belongs to it: arrows over a slow connection may come in parts."""


class Screen(Protocol):
    """What is drawn on: `rich.live.Live`."""

    def start(self, refresh: bool = False) -> None: ...
    def stop(self) -> None: ...


class KeyTerminal:
    """Standard input as keys. Used on the main thread, inside `opened`."""

    def __init__(self, descriptor: int, screen: Screen) -> None:
        self._descriptor = descriptor
        self._screen = screen
        self._keys = KeyDecoder()
        self._saved: list[Any] = []
        self._pending: list[int] = []
        self._wakes, self._wake = -1, -1

    @contextlib.contextmanager
    def opened(self) -> Iterator[KeyTerminal]:
        """Takes the terminal and its signals, draws, and gives both back."""
        self._wakes, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._wakes, False)
        before = {number: signal.signal(number, self._note) for number in NOTED}
        woken = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        self._saved = termios.tcgetattr(self._descriptor)
        try:
            self._take()
            yield self
        finally:
            self._give_back()
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(self._wakes)
            os.close(self._wake)

    def wake(self) -> None:
        """Ends the waiting of `pressed` early. May be called by any thread."""
        with contextlib.suppress(OSError):
            os.write(self._wake, b"\0")

    def pressed(self, within_s: float) -> list[str]:
        """The keys pressed, as soon as there are some, or none after `within_s`.

        Raises KeyboardInterrupt for Ctrl-C, typer.Exit for a signal that ends the command or a terminal that is gone.
        """
        self._obey()
        wait_s = min(within_s, ESCAPE_S) if self._keys.awaits_more else within_s
        ready, _, _ = select.select([self._descriptor, self._wakes], [], [], wait_s)
        if self._wakes in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wakes, 4096)
        self._obey()
        if self._descriptor in ready:
            return self._keys.fed(self._read())
        return self._keys.fed(b"") if self._keys.awaits_more else []

    def _read(self) -> bytes:
        try:
            content = os.read(self._descriptor, 4096)
        except OSError:
            content = b""
        if not content:  # the terminal was closed
            raise typer.Exit(128 + signal.SIGHUP)
        return content

    # ---- signals ----------------------------------------------------------------------------------------------------

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._pending.append(number)

    def _obey(self) -> None:
        while self._pending:
            number = self._pending.pop(0)
            if number == signal.SIGINT:
                raise KeyboardInterrupt
            if number in ENDING:
                raise typer.Exit(128 + number)
            if number == signal.SIGTSTP:
                self._suspend()
            elif number == signal.SIGCONT:
                # After a SIGSTOP, which nobody can handle: the shell has set its own modes since.
                self._give_back()
                self._take()

    def _suspend(self) -> None:
        self._give_back()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)  # it stops here, until SIGCONT, which takes the terminal again
        signal.signal(signal.SIGTSTP, self._note)

    # ---- the terminal -----------------------------------------------------------------------------------------------

    def _take(self) -> None:
        with contextlib.suppress(termios.error):
            tty.setcbreak(self._descriptor, termios.TCSANOW)
            modes = termios.tcgetattr(self._descriptor)
            modes[0] &= ~termios.IXON  # Ctrl-S would stop the screen, and with it the obeying of signals
            termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)
        self._screen.start(refresh=True)

    def _give_back(self) -> None:
        with contextlib.suppress(OSError):
            self._screen.stop()
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._saved)
