"""Reads files in a subprocess with limits on CPU time and memory.

A file can make a third-party parser run for hours, exhaust memory or crash: a spreadsheet of a few kilobytes may unpack
to gigabytes. In that case the subprocess ends and that one file is unreadable; the ingest and all other files are
unaffected.
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
from dataclasses import asdict
from typing import IO, Any, cast

from ha_rag.errors import UnreadableDocumentError
from ha_rag.index.reading.extract import Extract, RawFile
from ha_rag.index.reading.readers import read_as
from ha_rag.index.slices import decoded

BASE_S, BYTES_PER_S = 30.0, 100_000
"""CPU seconds that a file may take: a base, plus one for every BYTES_PER_S bytes."""

MEMORY_BYTES = 2 * 1024**3
"""Address space that the subprocess may use."""

LONGEST_TEXT = 50_000_000
"""Characters that the text of a file may have."""

NO_MEMORY = "needs more memory to read than is allowed"
_CRASHES = {signal.SIGXCPU, signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGILL, signal.SIGFPE}
"""Ends that the file has caused. Any other, such as SIGKILL of a machine without memory, has another cause."""


class ReadingProcess:
    """The subprocess; started for the first file, and again after a file that ended it. Safe across threads.

    `base_s`: CPU seconds that any file may take. `memory_bytes`: the address space it may use.
    """

    def __init__(self, base_s: float = BASE_S, memory_bytes: int = MEMORY_BYTES) -> None:
        self._base_s = base_s
        self._memory_bytes = memory_bytes
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, form: str, file: RawFile) -> Extract:
        """The text of `file`. `form`: a value of `kinds.FORMS`. Raises UnreadableDocumentError."""
        seconds = int(self._base_s + len(file.data) / BYTES_PER_S)
        with self._lock:
            reply = self._ask_again_if_in_doubt(form, file, seconds)
        if "why" in reply:
            raise UnreadableDocumentError(file.name, str(reply["why"]), transient=bool(reply.get("transient")))
        unread = tuple((part, why) for part, why in reply["unread"])
        lists = {"notices": tuple(reply["notices"]), "guessed": tuple(reply["guessed"]), "unread": unread}
        return Extract(**(reply | lists))

    def end(self) -> None:
        """Ends the subprocess, if it is running."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(BrokenPipeError):
                process.communicate()

    def _ask_again_if_in_doubt(self, form: str, file: RawFile, seconds: int) -> dict[str, Any]:
        """The reply. What may be the fault of earlier files, or of the machine, is tried again in a new subprocess."""
        reply = self._ask(form, file, seconds)
        if reply is not None and reply.get("why") != NO_MEMORY:
            return reply
        code = self._exit_code() if reply is None else 0
        if code != -signal.SIGXCPU:
            self.end()
            reply = self._ask(form, file, seconds)
            code = self._exit_code() if reply is None else 0
        if reply is not None:
            return reply
        of_the_file = -code in _CRASHES or (code > 0 and self._works())
        return {"why": _why(code, seconds, of_the_file=of_the_file), "transient": not of_the_file}

    def _works(self) -> bool:
        """Whether the subprocess can read anything at all."""
        return self._ask("text", RawFile(name="", data=b"text"), int(BASE_S)) is not None

    def _ask(self, form: str, file: RawFile, seconds: int) -> dict[str, Any] | None:
        """The subprocess's reply; None if it ended without one."""
        process = self._process = self._process or _start()
        requests, replies = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)
        limits = {"seconds": seconds, "memory": self._memory_bytes}
        about = {"form": form, "encoding": file.assumed_encoding, "bytes": len(file.data)}
        try:
            requests.write(json.dumps(about | limits).encode() + b"\n" + file.data)
            requests.flush()
            return _received(replies)
        except BrokenPipeError:
            return None

    def _exit_code(self) -> int:
        process, self._process = cast("subprocess.Popen[bytes]", self._process), None
        with contextlib.suppress(BrokenPipeError):
            process.communicate()
        return process.returncode


def _received(replies: IO[bytes]) -> dict[str, Any] | None:
    """A reply; None if it ends early. The text follows its fields as it is: JSON of it would be parsed in one go."""
    line = replies.readline()
    if not line.endswith(b"\n"):
        return None
    reply = dict(json.loads(line))
    size = reply.pop("text_bytes")
    text = replies.read(size)
    if len(text) < size:
        return None
    return reply if "why" in reply else reply | {"text": decoded(text)}


def _why(exit_code: int, seconds: int, *, of_the_file: bool) -> str:
    if exit_code == -signal.SIGXCPU:
        return f"takes more than {seconds} s of CPU time to read"
    if of_the_file:
        return "crashed the process that was reading it; it is damaged, or was built to do that"
    how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
    return f"the process that was reading it {how}, perhaps for lack of memory; ingest it again"


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
        file = RawFile(name="", data=data, assumed_encoding=request["encoding"])
        reply = _reply(request["form"], file)
        text = reply.pop("text", "").encode("utf-8", "surrogatepass")
        replies.write(json.dumps(reply | {"text_bytes": len(text)}, default=str).encode() + b"\n")
        replies.write(text)
        replies.flush()


def _limit(seconds: int, memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, resource.getrlimit(resource.RLIMIT_AS)[1]))
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + seconds, hard))


def _reply(form: str, file: RawFile) -> dict[str, Any]:
    try:
        extract = read_as(form, file)
    except UnreadableDocumentError as error:
        return {"why": error.why, "transient": error.transient}
    except MemoryError:
        return {"why": NO_MEMORY}
    except RecursionError:
        return {"why": "its parts are nested too deeply"}
    if len(extract.text) > LONGEST_TEXT:
        return {"why": f"contains {len(extract.text):,} characters of text; the limit is {LONGEST_TEXT:,}"}
    return asdict(extract)


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
