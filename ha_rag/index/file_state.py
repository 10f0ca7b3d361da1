"""The state of the database's files, from which a reader sees that there may be something new, without opening them."""

from __future__ import annotations

import errno
import time
from dataclasses import dataclass, field
from pathlib import Path

from ha_rag.index.regular import other_kind
from ha_rag.index.schema import DATABASE

SETTLED_NS = 100_000_000
"""A file that changed this shortly before it was looked at may change again without another time stamp."""

_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class FileState:
    """Time stamps and sizes of the database and of its write-ahead log (None if that is empty).

    `settled`: whether the next change will show in them.
    """

    database: _Stamp
    log: _Stamp | None
    settled: bool = field(compare=False)


def file_state(folder: Path) -> FileState | None:
    """The current state; None if there is no database, or no folder. Raises OSError if that cannot be seen."""
    now_ns = time.time_ns()
    database = _stamp(folder / DATABASE)
    if database is None:
        return None
    log = _stamp(folder / f"{DATABASE}-wal")
    _stamp(folder / f"{DATABASE}-shm")
    newest = max(stamp[3] for stamp in (database, log) if stamp is not None)
    return FileState(database, log if log is not None and log[2] else None, now_ns - newest > SETTLED_NS)


def _stamp(file: Path) -> _Stamp | None:
    if (kind := other_kind(file)) is not None:  # SQLite would wait for whoever writes to a pipe
        raise OSError(errno.EINVAL, f"{file.name} is {kind}, not a file")
    try:
        status = file.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def has_remains(folder: Path) -> bool:
    """Whether a folder without a database holds other files of an index. Raises OSError."""
    try:
        names = [file.name for file in folder.iterdir()]
    except FileNotFoundError:
        return False
    return any(name.startswith(("words-", "graph-")) for name in names)
