"""Parses HTML and PDF files in a subprocess with limits on CPU time and memory.

A file can make a third-party parser run for hours, exhaust memory or crash: 100 kB of `<a <a <a` keep Python's HTML
parser busy for a minute and a half. In that case the subprocess ends and that one file is unreadable; the ingest and
all other files are unaffected.
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
"""CPU seconds that a file may take: a base, plus one for every BYTES_PER_S bytes."""

MEMORY_BYTES = 2 * 1024**3
"""Address space that the subprocess may use."""

LONGEST_TEXT = 50_000_000
"""Characters that the text of a file may have."""

Reader = Callable[[str, bytes], tuple[str, str]]


class ReadingProcess:
    """The subprocess; started for the first file, and again after a file that ended it. Safe across threads.

    `base_s`: CPU seconds that any file may take. `memory_bytes`: the address space it may use.
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
            reply = self._ask(form, data, seconds)
            if reply is None:
                raise UnreadableDocumentError(document, _why(self._exit_code(), seconds))
        if "why" in reply:
            raise UnreadableDocumentError(document, str(reply["why"]))
        return str(reply["title"]), str(reply["text"])

    def end(self) -> None:
        """Ends the subprocess, if it is running."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def _ask(self, form: str, data: bytes, seconds: int) -> dict[str, Any] | None:
        """The subprocess's reply; None if it ended without one."""
        process = self._process = self._process or _start()
        requests, replies = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        limits = {"seconds": seconds, "memory": self._memory_bytes}
        request = json.dumps({"form": form, "bytes": len(data), **limits}).encode()
        try:
            requests.write(request + b"\n" + data)
            requests.flush()
            line = replies.readline()
            return dict(json.loads(line)) if line.endswith(b"\n") else None
        except BrokenPipeError:
            return None

    def _exit_code(self) -> int:
        process, self._process = cast("subprocess.Popen[bytes]", self._process), None
        with contextlib.suppress(BrokenPipeError):
            process.communicate()
        return process.returncode


def _why(exit_code: int, seconds: int) -> str:
    if exit_code == -signal.SIGXCPU:
        return f"takes more than {seconds} s of CPU time to read"
    return "crashed the process that was reading it; it is damaged, or was built to do that"


def _start() -> subprocess.Popen[bytes]:
    # Its stdin closes when this process ends, however that happens, and then it ends too.
    return subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


shared = ReadingProcess()
"""The reading process shared by the whole program."""
atexit.register(shared.end)


def serve(requests: IO[bytes], replies: IO[bytes]) -> None:
    """The subprocess's main loop; returns at the end of `requests`."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    while line := requests.readline():
        request = json.loads(line)
        data = requests.read(request["bytes"])
        _limit(request["seconds"], request["memory"])
        replies.write(json.dumps(_reply(request["form"], data)).encode() + b"\n")
        replies.flush()


def _limit(seconds: int, memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def _reply(form: str, data: bytes) -> dict[str, str]:
    try:
        title, text = _reader(form)("", data)
    except UnreadableDocumentError as error:
        return {"why": error.why}
    except MemoryError:
        return {"why": "needs more memory to read than is allowed"}
    if len(text) > LONGEST_TEXT:
        return {"why": f"contains {len(text):,} characters of text; the limit is {LONGEST_TEXT:,}"}
    return {"title": title, "text": text}


def _reader(form: str) -> Reader:
    # Imported here because the parent process imports this module too and does not need the parsers.
    from ha_rag.index.reading.html import html_text
    from ha_rag.index.reading.pdf import pdf_text

    return {"html": html_text, "pdf": pdf_text}[form]


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
