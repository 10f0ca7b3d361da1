"""SoundFiles: remembers which files have been checked, so that a writer need not read large ones again."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

SETTLED_NS = 100_000_000
"""A file changed this shortly before its check may change again without another time stamp, so it is not remembered."""

FEW = 256
"""So many files are remembered before any are looked for that are gone: about forty segments of a word index."""

_Stamp = tuple[int, int, int, int]


class SoundFiles:
    """What has been checked in this process. Safe across threads.

    A file counts as unchanged while its inode, size and both time stamps are. The time of the last status change is
    the kernel's: no program can set it back. Every write of a word index makes files and deletes others, so those that
    are gone are forgotten whenever twice as many are remembered as were there the last time, at least `FEW`.
    """

    def __init__(self, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._now_ns = now_ns
        self._stamps: dict[Path, _Stamp] = {}
        self._most = FEW

    def __len__(self) -> int:
        return len(self._stamps)

    def check(self, file: Path, checked: Callable[[Path], None]) -> None:
        """Calls `checked`, which raises if the file is damaged, unless it has not changed since it last passed."""
        began_ns, stamp = self._now_ns(), _stamp(file)
        if self._stamps.get(file) == stamp:
            return
        self._stamps.pop(file, None)
        checked(file)
        if began_ns - stamp[3] > SETTLED_NS:
            self._stamps[file] = stamp
            if len(self._stamps) > self._most:
                self._forget_those_that_are_gone()

    def _forget_those_that_are_gone(self) -> None:
        for file in list(self._stamps):
            if not file.exists():
                self._stamps.pop(file, None)
        self._most = max(FEW, 2 * len(self._stamps))

    def forget(self, folder: Path) -> None:
        """Forgets the files of a folder that is deleted."""
        for file in list(self._stamps):
            if file.parent == folder:
                self._stamps.pop(file, None)


def _stamp(file: Path) -> _Stamp:
    status = file.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


shared = SoundFiles()
