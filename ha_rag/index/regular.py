"""Opens the index's files only if they are regular: a pipe would be waited for, a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}  # fmt: skip


def open_regular(file: Path) -> BinaryIO:
    """`file`, opened for reading at once. Raises OSError, also if it is no regular file."""
    number = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if (kind := _kind(os.fstat(number))) is not None:
            raise OSError(errno.EINVAL, f"is {kind}, not a file", str(file))
    except BaseException:
        os.close(number)
        raise
    return os.fdopen(number, "rb")


def other_kind(file: Path) -> str | None:
    """What stands where a file should, such as "a pipe"; None for a file, for nothing, or where it cannot be seen."""
    try:
        return _kind(file.stat())
    except FileNotFoundError:
        return "a symbolic link to nothing" if file.is_symlink() else None
    except OSError as error:
        # Where a folder above it is the link, the error says so better.
        return "a symbolic link to itself" if error.errno == errno.ELOOP and file.is_symlink() else None


def _kind(status: os.stat_result) -> str | None:
    return None if stat.S_ISREG(status.st_mode) else _KINDS.get(stat.S_IFMT(status.st_mode), "something else")
