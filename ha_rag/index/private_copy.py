"""Private copies of the index's files, for readers.

Another program may cut short a file that is mapped into memory, which ends the process (SIGBUS), or change it, which
makes a search wrong. So a reader copies what it would map into files without a name, checks the copies and searches
those. Whatever happens to the originals, it keeps what it has loaded.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from ha_rag.errors import IndexStoreError
from ha_rag.index.regular import open_regular

CHUNK_BYTES = 1 << 20
DELETIONS = 10
"""How often deleting a folder is tried."""
_DESCRIPTORS = Path("/proc/self/fd")


class PrivateFile:
    """A copy of `source` that has no name, so that only this process can reach it; gone when it is collected.

    `scratch`: a folder on the disk that takes it. `path`: where this process can open it. Raises IndexStoreError if
    there is no space left, and OSError if `source` cannot be read. Safe across threads.
    """

    def __init__(self, source: Path, scratch: Path) -> None:
        with open_regular(source) as original, no_space_explained(scratch), ExitStack() as stack:
            copy = stack.enter_context(tempfile.TemporaryFile(dir=scratch, prefix="ha_rag-"))
            shutil.copyfileobj(original, copy, CHUNK_BYTES)
            copy.flush()
            weakref.finalize(self, stack.pop_all().close)
        self._copy: BinaryIO = copy
        self.path = _descriptor_folder() / str(copy.fileno())

    @property
    def file(self) -> BinaryIO:
        """The copy, for reading by one thread at a time."""
        return self._copy


def _descriptor_folder() -> Path:
    return _DESCRIPTORS if _DESCRIPTORS.exists() else Path("/dev/fd")


def scratch_folder(folder: Path, size: int) -> Path:
    """Where copies of `size` bytes of the index in `folder` fit: the temporary folder (TMPDIR), or the index's own.

    If neither has that much space, the one that has more.
    """
    places = [Path(tempfile.gettempdir()), folder]
    usable = [place for place in places if os.access(place, os.W_OK | os.X_OK)] or places[:1]
    free = {place: shutil.disk_usage(place).free for place in usable}
    return next((place for place in usable if free[place] > size), max(usable, key=free.__getitem__))


@contextmanager
def no_space_explained(scratch: Path) -> Iterator[None]:
    """Translates a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise no_space(scratch) from error


def no_space(scratch: Path) -> IndexStoreError:
    """The error of a disk that has no room for a copy."""
    return IndexStoreError(
        f"no space left in {scratch} for this process's copy of the index; free some there, or set TMPDIR to a folder "
        "on a larger disk"
    )


def checksum(file: BinaryIO, size: int) -> int:
    """The CRC-32 of the first `size` bytes, read and not mapped; of fewer if there are fewer."""
    value, left = 0, size
    file.seek(0)
    while left and (chunk := file.read(min(CHUNK_BYTES, left))):
        value, left = zlib.crc32(chunk, value), left - len(chunk)
    return value


@contextmanager
def passing_folder(scratch: Path | None = None) -> Iterator[Path]:
    """A folder in `scratch` (default: the temporary folder) that is deleted afterwards.

    tantivy watches a folder that it has opened, in a thread of its own, and may put a lock file there while the folder
    is being deleted, so deleting is tried again.
    """
    folder = Path(tempfile.mkdtemp(prefix="ha_rag-text-", dir=scratch))
    try:
        yield folder
    finally:
        for _ in range(DELETIONS):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break
