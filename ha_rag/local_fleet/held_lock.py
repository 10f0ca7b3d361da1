"""HeldLock: a file that says that the process which locked it still runs.

The kernel releases the lock when its process ends, however it ends, so neither a killed process nor another one with
the same number is taken for a running one.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class HeldLock:
    """The lock on `file`, held by at most one process from `acquire` to `release`. Not safe across threads."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._descriptor = -1

    def acquire(self) -> bool:
        """Whether this process holds the lock now; never waits. Raises OSError if the file cannot be made."""
        if sys.platform == "win32":
            return True
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Gives it up. The file stays: another process may be about to lock it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def is_held(file: Path) -> bool:
    """Whether a running process holds the lock on `file`."""
    if sys.platform == "win32":
        return True
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:
        return True  # another user's, who may well be running
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
