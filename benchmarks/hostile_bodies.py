"""How long a replica is silent while it reads a hostile body, and how much memory that takes.

    python -m benchmarks.hostile_bodies [--rounds 3] [--url http://127.0.0.1:8000]

A replica in a process of its own, with the default limits, gets each body of the table. Meanwhile another connection
asks for /health/live without pause; the longest of its waits is the silence. The shortest silence of the rounds counts,
since another program on the machine can only lengthen it; "nothing" is the silence without any body. Memory is the
growth of the process's peak. With `--url` a running replica is measured, and memory is not.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.local_pipeline import LOCAL_PIPELINE
from tests.ports import free_port

LONG, CHAT, ANY = 9_900_000, 990_000, 99_000


def filled(head: str, piece: str, tail: str, size: int) -> bytes:
    return (head + piece * ((size - len(head)) // len(piece.encode())) + tail).encode()


def keys(size: int) -> bytes:
    return ("{" + ",".join(f'"k{n}":0' for n in range(size // 12)) + "}").encode()


BOUNDARY = b"--form"


def part(name: str, content: bytes) -> bytes:
    disposition = f'Content-Disposition: form-data; name="file"; filename="{name}"'.encode()
    return BOUNDARY + b"\r\n" + disposition + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + BOUNDARY + b"--\r\n"


QUERY, CHATTING, DOCUMENTS = "/v1/query", "/v1/chat/completions", "/v1/documents"
PARTS = '{"messages": [{"role": "user", "content": ['
TEXT_PART = '{"type":"text","text":""}'
BODIES: dict[str, tuple[str, bytes]] = {
    "query: 9.9 MB of unknown fields": (QUERY, keys(LONG)),
    "query: unknown fields": (QUERY, keys(ANY)),
    "query: empty lists": (QUERY, filled('{"question": [', "[],", "0]}", ANY)),
    "query: nested lists": (QUERY, filled('{"question": ', "[", "", ANY)),
    "query: the longest question": (QUERY, filled('{"question": "', "\\ud83d\\ude00", '"}', 96_000)),
    "chat: unknown fields": (CHATTING, keys(CHAT)),
    "chat: empty messages": (CHATTING, filled('{"messages": [', "{},", "{}]}", CHAT)),
    "chat: empty parts": (CHATTING, filled(PARTS, "{},", "{}]}]}", CHAT)),
    "chat: as many parts as may be": (CHATTING, filled(PARTS, TEXT_PART + ",", TEXT_PART + "]}]}", 80_000)),
    "chat: one long question": (CHATTING, filled('{"messages": [{"role": "user", "content": "', "\\n", '"}]}', CHAT)),
    "documents: unknown fields": (DOCUMENTS, keys(LONG)),
    "documents: lists in the metadata": (DOCUMENTS, filled('{"text": "a", "metadata": {"a": [', "[],", "0]}}", LONG)),
    "documents: no letter": (DOCUMENTS, filled('{"text": "', "!", '"}', LONG)),
    "documents: escapes": (DOCUMENTS, filled('{"text": "', "\\n", '"}', LONG)),
    "documents: surrogate pairs": (DOCUMENTS, filled('{"text": "', "\\ud83d\\ude00", '"}', LONG)),
    "documents: not JSON after all": (DOCUMENTS, filled('{"text": "', "\u20ac", '"', LONG)),
    "documents: not UTF-8 after all": (DOCUMENTS, b'{"text": "' + b"a" * LONG + b'\xff"}'),
    "documents: Markdown without a letter": (DOCUMENTS, filled('{"id": "a.md", "text": "', "> ", '"}', 1_000_000)),
    "form: almost boundaries": (DOCUMENTS, form(part("a.txt", b"\r\n--" * (LONG // 4)))),
    "form: endless parts": (DOCUMENTS, form(*(part(f"{n}.txt", b"") for n in range(100_000)))),
    "form: an endless header": (DOCUMENTS, form(part("a" * LONG, b""))),
    "form: no end": (DOCUMENTS, part("a.txt", b"Bees hum. " * (LONG // 10))),
    "form: lines without an id": (DOCUMENTS, form(part("a.jsonl", b"{}\n" * (LONG // 3)))),
    "form: lists in lists": (DOCUMENTS, form(part("a.json", b"[" * LONG))),
    "form: 1 MB of Markdown to index": (DOCUMENTS, form(part("a.md", b"Bees hum. " * 100_000))),
    "documents: 1 MB to index": (DOCUMENTS, filled('{"id": "a", "text": "', "Bees hum. ", '"}', 1_000_000)),
}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """`took_ms`: until the reply. `silent_ms`: the longest wait for /health/live. `grew_mb`: of the peak memory."""

    status: int
    took_ms: float
    silent_ms: float
    grew_mb: float


class Listener(threading.Thread):
    """Asks for /health/live without pause until told to stop; keeps the longest wait."""

    def __init__(self, host: str) -> None:
        super().__init__(daemon=True)
        self._connection = http.client.HTTPConnection(host, timeout=60)
        self._stopped = threading.Event()
        self.longest_s = 0.0

    def run(self) -> None:
        while not self._stopped.is_set():
            began_s = time.perf_counter()
            self._connection.request("GET", "/health/live")
            self._connection.getresponse().read()
            self.longest_s = max(self.longest_s, time.perf_counter() - began_s)

    def stop(self) -> float:
        self._stopped.set()
        self.join()
        self._connection.close()
        return self.longest_s * 1000


def measured(host: str, pid: int | None, path: str, body: bytes | None) -> Row:
    before_mb, listener = peak_mb(pid), Listener(host)
    listener.start()
    began_s = time.perf_counter()
    status = 0
    if body is None:
        time.sleep(0.5)
    else:
        status = sent(host, path, body)
    took_ms = (time.perf_counter() - began_s) * 1000
    return Row(status, took_ms, listener.stop(), peak_mb(pid) - before_mb)


def sent(host: str, path: str, body: bytes) -> int:
    """The status of the reply; 0: the connection was reset before it."""
    connection = http.client.HTTPConnection(host, timeout=120)
    with contextlib.suppress(ConnectionError):  # refused while it was being sent
        kind = "multipart/form-data; boundary=form" if body.startswith(BOUNDARY) else "application/json"
        connection.request("POST", path, body, {"Content-Type": kind})
    try:
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def peak_mb(pid: int | None) -> float:
    if pid is None:
        return 0.0
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


@contextmanager
def replica() -> Iterator[tuple[str, int]]:
    """Host and process id of a new replica."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "ha_rag.toml")
        config.write_text(LOCAL_PIPELINE.format(index=Path(folder, "index")))
        command = [sys.executable, "-m", "ha_rag", "serve", "--config", str(config), "--port", str(port)]
        with subprocess.Popen(
            command, env={**os.environ, "HA_RAG_LOG": "console"}, stderr=subprocess.DEVNULL
        ) as process:
            try:
                until_ready(f"127.0.0.1:{port}")
                yield f"127.0.0.1:{port}", process.pid
            finally:
                process.terminate()


def until_ready(host: str) -> None:
    deadline_s = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection(host, timeout=1)
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            if time.monotonic() > deadline_s:
                raise
        time.sleep(0.1)


def table(host: str, pid: int | None, rounds: int) -> None:
    print(f"{'body':36} {'size':>10} {'status':>6} {'reply ms':>9} {'silent ms':>9} {'more MB':>8}")
    for name, (path, body) in {"nothing": ("", None), **BODIES}.items():
        rows = [measured(host, pid, path, body) for _ in range(rounds)]
        best = min(rows, key=lambda row: row.silent_ms)
        grew_mb = sum(row.grew_mb for row in rows)
        size, took = f"{len(body or b''):>10,} {best.status:>6}", f"{best.took_ms:>9.1f} {best.silent_ms:>9.1f}"
        print(f"{name:36} {size} {took} {grew_mb:>8.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--url", help="a running replica to measure instead")
    given = parser.parse_args()
    if given.url:
        table(urlsplit(given.url).netloc, None, given.rounds)
        return
    with replica() as (host, pid):
        table(host, pid, given.rounds)


if __name__ == "__main__":
    main()
