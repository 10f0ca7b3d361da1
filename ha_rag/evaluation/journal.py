"""Journal: what was measured so far, a line for each question, so that a run that was killed is continued.

The first line names what the run is about: a journal of other questions, documents or components is begun anew. A last
line that a crash cut short is left out.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from ha_rag.disk_space import reason
from ha_rag.errors import ConfigurationError, IndexBusyError
from ha_rag.private_folder import make_private_folder


class Journal:
    """The file of one run; held by one process at a time. A context manager.

    Raises IndexBusyError if another process measures with it, and ConfigurationError if it cannot be written.
    """

    _open: IO[bytes]

    def __init__(self, file: Path, about: str) -> None:
        self.file = file
        self.done: dict[str, Any] = {}
        self._about = about

    def __enter__(self) -> Journal:
        try:
            make_private_folder(self.file.parent)
            handle = os.open(self.file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigurationError(f"{self.file}: cannot be written ({reason(error)})") from None
        self._open = os.fdopen(handle, "r+b")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._open.close()
            raise IndexBusyError(f"another `ha-rag evaluate` writes to {self.file}; wait until it has ended") from None
        self._read()
        return self

    def _read(self) -> None:
        whole, _, torn = self._open.read().rpartition(b"\n")
        lines = whole.split(b"\n")
        try:
            done = dict(json.loads(line) for line in lines[1:])
        except ValueError:  # not written by this class, or damaged
            lines = [b""]
        if lines[0] != self._head():
            self._open.truncate(0)
            self._append(self._head())
            return
        if torn:
            self._open.truncate(len(whole) + 1)
        self.done = done

    def _head(self) -> bytes:
        return json.dumps({"about": self._about}).encode()

    def add(self, question: str, record: Mapping[str, Any]) -> None:
        """Keeps what was measured with a question."""
        self.done[question] = record
        self._append(json.dumps([question, record], ensure_ascii=False).encode())

    def _append(self, line: bytes) -> None:
        try:
            self._open.write(line + b"\n")
            self._open.flush()
        except OSError as error:
            raise ConfigurationError(f"{self.file}: cannot be written ({reason(error)})") from None

    def remove(self) -> None:
        """Deletes it: the run is complete."""
        self.file.unlink(missing_ok=True)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._open.close()
