"""Reading apart: pages and PDFs are taken to pieces in a process of its own, which may use so much and no more.

Their parsers are other people's, and a file can be made such that they need hours or all memory (100 kB of `<a <a <a`
keep Python's HTML parser busy for a minute and a half), or fall over. Then that process ends, and that one file is
unreadable: the ingest and all other files are not affected.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import IO, Any, cast

from ha_rag.errors import UnreadableDocumentError

BASE_S, BYTES_PER_S = 30.0, 100_000
"""Seconds of computing that a file may cost: some for any file, and one more for so many bytes."""

MEMORY_BYTES = 2 * 1024**3
"""What the process may take for itself, of address space."""

LONGEST_TEXT = 50_000_000
"""Characters that a file may unfold to."""

Reader = Callable[[str, bytes], tuple[str, str]]


class ReadingProcess:
    """The process, started with the first file and again after a file that ended it. Safe across threads.

    `base_s`: seconds of computing that any file may cost. `memory_bytes`: the address space it may take.
    """

    def __init__(self, base_s: float = BASE_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._base_s = base_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, document: str, form: str, data: bytes) -> tuple[str, str]:
        """Title and text of `data`. `form`: "html" or "pdf". Raises UnreadableDocumentError."""
        seconds = int(self._base_s + len(data) / BYTES_PER_S)
        with self._lock:
            told = self._told(form, data, seconds)
            if told is None:
                ended_by = self._buried()
                raise UnreadableDocumentError(document, _why(ended_by, seconds))
        if "why" in told:
            raise UnreadableDocumentError(document, str(told["why"]))
        return str(told["title"]), str(told["text"])

    def end(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def _told(self, form: str, data: bytes, seconds: int) -> dict[str, Any] | None:
        """What the process says; None where it ended instead."""
        process = self._process = self._process or _start()
        orders, answers = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        limits = {"seconds": seconds, "memory": self._memory_bytes}
        order = json.dumps({"form": form, "bytes": len(data), **limits}).encode()
        try:
            orders.write(order + b"\n" + data)
            orders.flush()
            line = answers.readline()
            return dict(json.loads(line)) if line.endswith(b"\n") else None
        except BrokenPipeError:
            return None

    def _buried(self) -> int:
        """What ended the process."""
        process, self._process = cast("subprocess.Popen[bytes]", self._process), None
        with contextlib.suppress(BrokenPipeError):
            process.communicate()
        return process.returncode


def _why(ended_by: int, seconds: int) -> str:
    if ended_by == -signal.SIGXCPU:
        return f"takes more than {seconds} s of computing to be read"
    return "ended the process that was reading it; it is damaged, or made to do that"


def _start() -> subprocess.Popen[bytes]:
    # Its end of stdin closes with this process, however that ends, and that ends it.
    return subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


shared = ReadingProcess()
"""The one that all of this process share."""
atexit.register(shared.end)


def serve(orders: IO[bytes], answers: IO[bytes]) -> None:
    """The process itself: reads until there is nothing more to be read."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while line := orders.readline():
        order = json.loads(line)
        data = orders.read(order["bytes"])
        _allow(order["seconds"], order["memory"])
        answers.write(json.dumps(_answer(order["form"], data)).encode() + b"\n")
        answers.flush()


def _allow(seconds: int, memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def _answer(form: str, data: bytes) -> dict[str, str]:
    try:
        title, text = _reader(form)("", data)
    except UnreadableDocumentError as error:
        return {"why": error.why}
    except MemoryError:
        return {"why": "needs more memory to be read than a file may"}
    if len(text) > LONGEST_TEXT:
        return {"why": f"unfolds to {len(text):,} characters; up to {LONGEST_TEXT:,} are read"}
    return {"title": title, "text": text}


def _reader(form: str) -> Reader:
    # Loaded here, not above: this file is also that of whoever asks.
    from ha_rag.index.reading.html import html_text
    from ha_rag.index.reading.pdf import pdf_text

    return {"html": html_text, "pdf": pdf_text}[form]


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
