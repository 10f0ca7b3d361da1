"""A full disk: how it shows in the errors of the system and of libraries, and what people are told."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""No space or inode is left, or this user's quota is used up."""

# Libraries that are not written in Python put the system's error into their message (tantivy, usearch, SQLite).
_SAID = re.compile(r"no space left on device|disk quota exceeded|\bdisk is full|StorageFull", re.IGNORECASE)
_VAGUE = re.compile(r"disk i/o error|unable to open database file|lock|write", re.IGNORECASE)


def is_full(error: BaseException, path: Path | str) -> bool:
    """Whether `error` means that the disk of `path` is full.

    A message that may have other reasons, such as SQLite's "disk I/O error", counts if no block or inode is left there.
    """
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    said = str(error)
    return bool(_SAID.search(said)) or (bool(_VAGUE.search(said)) and has_no_space(path))


def has_no_space(path: Path | str) -> bool:
    """Whether the disk that holds `path`, or would hold it, has no block or no inode left for this user."""
    try:
        place = next(folder for folder in (Path(path), *Path(path).absolute().parents) if folder.exists())
        disk = os.statvfs(place)
    except (OSError, StopIteration):
        return False
    # Some file systems do not count inodes, and say that they have none.
    return disk.f_bavail == 0 or (disk.f_files > 0 and disk.f_favail == 0)


REMEDY = "free space (or inodes) there, or use another place, and repeat"


def no_space(path: Path | str) -> str:
    """What people are told: the place and the remedy."""
    return f"no space left on device for {path}; {REMEDY}"


def reason(error: OSError) -> str:
    """The system's words for why a file cannot be written, with the remedy if the disk is full."""
    return f"{error.strerror}; {REMEDY}" if error.errno in FULL else str(error.strerror or error)
