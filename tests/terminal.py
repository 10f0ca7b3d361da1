"""A pseudo-terminal that runs a program."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from pathlib import Path
from typing import Any

from tests.waiting import PATIENCE_S

ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
SHOW_CURSOR, LEAVE_SCREEN = "\x1b[?25h", "\x1b[?1049l"


class Terminal:
    """A pseudo-terminal with one program. `text`: all its output; `process`: the program."""

    def __init__(
        self, command: list[str], columns: int, lines: int, environment: dict[str, str], folder: Path | None = None
    ) -> None:
        self._master, slave = pty.openpty()
        self.resize(columns, lines)
        own = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "", "LINES": "", **environment}
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=folder,
            env={name: value for name, value in own.items() if value},
        )  # fmt: skip
        os.close(slave)
        self.text = ""
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        while True:
            try:
                more = os.read(self._master, 65536)
            except OSError:
                return  # the program exited
            self.text += more.decode(errors="replace")

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    @property
    def plain(self) -> str:
        """All output, without escape sequences."""
        return ANSI.sub("", self.text)

    @property
    def frame(self) -> str:
        """The latest complete screen, without escape sequences."""
        frames = self.text.split("\x1b[H")
        return ANSI.sub("", frames[-2] if len(frames) > 2 else "")

    def widest(self) -> int:
        return max((len(line.rstrip()) for line in self.frame.splitlines()), default=0)

    def modes(self) -> list[Any]:
        """How the terminal treats input and output."""
        return termios.tcgetattr(self._master)

    def set_modes(self, modes: list[Any]) -> None:
        termios.tcsetattr(self._master, termios.TCSANOW, modes)

    def types(self, text: str) -> None:
        os.write(self._master, text.encode())

    def ended(self) -> None:
        """Waits until all output of the exited program has been read."""
        self._thread.join(PATIENCE_S)

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._thread.join(PATIENCE_S)
        os.close(self._master)
