"""Runs a program that ends when its parent does, even if the parent is killed by SIGKILL.

    python -I -S parent_watchdog.py PARENT_PID [--watch] PROGRAM ARGUMENT...

On Linux the kernel does it: this process asks for SIGKILL on its parent's death and becomes the program. Elsewhere (or
with --watch) it stays between the two, passes SIGTERM and SIGINT on, and kills the program once its parent is gone.
Run by its path and with the standard library only, so that it adds milliseconds to a start and not an import of ha_rag.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

PR_SET_PDEATHSIG = 1
WATCH_INTERVAL_S = 0.25


def main(arguments: list[str]) -> int:
    """Returns the program's exit code; on Linux it does not return."""
    parent, command = int(arguments[0]), arguments[1:]
    if command[0] != "--watch" and sys.platform == "linux":
        return _become(parent, command)
    return _watch(parent, command[1:] if command[0] == "--watch" else command)


def _become(parent: int, command: list[str]) -> int:
    """Becomes the program; returns 1 if the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == parent:
        os.execvp(command[0], command)  # noqa: S606 - replaces this process without a shell
    return 1  # the parent died before the kernel was asked


def _watch(parent: int, command: list[str]) -> int:
    program = subprocess.Popen(command)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        program.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, pass_on)
    while os.getppid() == parent:
        try:
            code = program.wait(WATCH_INTERVAL_S)
        except subprocess.TimeoutExpired:
            continue
        return 128 - code if code < 0 else code
    program.kill()
    return program.wait()


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except OSError as error:
        sys.exit(f"{' '.join(sys.argv[2:])}: {error.strerror}")
