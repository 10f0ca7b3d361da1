"""WriterLock: at most one writer among all processes on a machine."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from ha_rag.disk_space import is_full
from ha_rag.errors import IndexBusyError, IndexReadOnlyError, IndexStoreError
from ha_rag.index.regular import other_kind
from ha_rag.index.schema import disk_full
from ha_rag.private_folder import make_private_folder, private_mode

LOCK = "writer.lock"


class WriterLock:
    """A lock held while the context is entered; the kernel releases it when its process dies.

    `folder`: the index's folder, created if missing. Raises IndexBusyError at once if another writer holds the lock,
    with its process id if known, and IndexReadOnlyError if this process may not write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = -1

    def __enter__(self) -> WriterLock:
        self._file = self._open()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode("ascii", "replace").strip()
            self._close()
            raise IndexBusyError(_busy(self._folder, holder)) from None
        # Only a help for other writers, to name this one. A full disk is noticed soon enough.
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, str(os.getpid()).encode(), 0)
        return self

    def _open(self) -> int:
        try:
            make_private_folder(self._folder)
            mode = private_mode(self._folder)
            if (kind := other_kind(self._folder / LOCK)) is not None:
                raise IndexStoreError(f"{self._folder / LOCK} is {kind}, not a file; remove it")
            return os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        except PermissionError as error:
            raise IndexReadOnlyError(_unwritable(self._folder, "is not writable for this process")) from error
        except OSError as error:
            if error.errno == 30:  # EROFS: mounted read-only
                raise IndexReadOnlyError(_unwritable(self._folder, "is on a read-only file system")) from error
            if is_full(error, self._folder):
                raise disk_full(self._folder) from error
            raise IndexStoreError(f"cannot write an index to {self._folder}: {error.strerror}") from error

    def _close(self) -> None:
        os.close(self._file)
        self._file = -1

    def __exit__(self, *_: object) -> None:
        self._close()


def _busy(folder: Path, holder: str) -> str:
    who = f"process {holder}" if holder.isdigit() else "another process"
    return f"{who} is writing to the index at {folder}; try again when it has finished"


def _unwritable(folder: Path, why: str) -> str:
    return f"the index at {folder} {why}; run `ha-rag ingest` on a machine and as a user with write access"
