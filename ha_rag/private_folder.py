"""A folder for this user alone: the index holds the text of documents, and logs may quote them.

Files follow their folder: whoever opens an existing folder to a group, so that another user's replicas can read the
index, opens the files made in it from then on as well.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OTHERS = 0o077


def make_private_folder(folder: Path) -> None:
    """Makes `folder`, with mode 700, unless it is there. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def keep_files_private(folder: Path) -> None:
    """From now on this process makes files with mode 600, and folders with 700, or as open as `folder` is already.

    Changes the umask, which is the whole process's: for a process that is ours alone.
    """
    os.umask(_OTHERS & ~_open_to_others(folder))


def private_mode(folder: Path) -> int:
    """The mode of a new file in `folder`: 600, or as open as `folder` is."""
    return 0o600 | (0o066 & _open_to_others(folder))


def _open_to_others(folder: Path) -> int:
    try:
        return stat.S_IMODE(folder.stat().st_mode) & _OTHERS
    except OSError:
        return 0
