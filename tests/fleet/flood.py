"""Far more questions than a replica can answer, asked by a process that leaves the machine to the replica.

`python -m tests.fleet.flood PORT PER_S FOR_S` asks so many a second, evenly and whatever becomes of them, and prints as
JSON what did. It does no more than it must for that: at 1,600 a second an eighth of a core, where
`ha_rag.simulation.load` takes a whole one.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict, deque
from typing import Any, cast

import uvloop

from tests.fleet.latency import percentile
from tests.fleet.processes import QUESTION

BODY = json.dumps({"question": QUESTION}).encode()
REQUEST = (
    b"POST /v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
IDLE_S = 3.0
"""A replica closes connections that were idle for 5 s; whoever asks over one just then gets no answer."""

HEAD_ENDS = b"\r\n\r\n"
MOST_LINES = 1_000
"""Connections; fewer than a replica lets in (2,048). A question beyond them waits, and that counts as its time."""


class Line(asyncio.Protocol):
    """One connection: one question at a time."""

    def __init__(self, flood: Flood) -> None:
        self._flood = flood
        self._came = b""
        self._due_s: float | None = None
        self.free_since_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def ask(self, due_s: float) -> None:
        self._due_s = due_s
        self._transport.write(REQUEST)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, _, body = self._came.partition(HEAD_ENDS)
        headers = head.lower().split(b"\r\n")
        if len(body) == int(_value(headers, b"content-length") or sys.maxsize):
            due_s, self._due_s, self._came = self._due_s, None, b""
            assert due_s is not None
            self._flood.told(due_s, int(head[9:12]), _value(headers, b"retry-after"), body)
            self._flood.free(self)

    def connection_lost(self, _: Exception | None) -> None:
        self._flood.gone(self)
        if self._due_s is not None:
            self._flood.became(self._due_s, "a broken connection")


class Flood:
    """What was asked, and what became of it. Times are counted from when a question was due."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._lines = 0
        self._idle: list[Line] = []
        self._waiting: deque[float] = deque()
        self._asked = 0
        self._ms: dict[str, list[float]] = defaultdict(list)
        self._late_ms: list[float] = []
        self._now_s = asyncio.get_running_loop().time

    async def ask(self, per_s: float, for_s: float) -> None:
        began_s = self._now_s()
        async with asyncio.TaskGroup() as dialing:
            # What a busy machine kept from being asked in its time is not asked at all.
            while (due_s := began_s + self._asked / per_s) < began_s + for_s > self._now_s():
                await asyncio.sleep(max(0.0, due_s - self._now_s()))
                self._late_ms.append(1000 * (self._now_s() - due_s))
                self._asked += 1
                if line := self._free_line():
                    line.ask(due_s)
                elif self._lines < MOST_LINES:
                    self._lines += 1
                    dialing.create_task(self._ask_anew(due_s))
                else:
                    self._waiting.append(due_s)
        while sum(map(len, self._ms.values())) < self._asked:
            await asyncio.sleep(0.01)

    async def _ask_anew(self, due_s: float) -> None:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(lambda: Line(self), "127.0.0.1", self._port)
        line.ask(due_s)

    def free(self, line: Line) -> None:
        """The line has its answer."""
        if self._waiting:
            line.ask(self._waiting.popleft())
        else:
            line.free_since_s = self._now_s()
            self._idle.append(line)

    def _free_line(self) -> Line | None:
        """One that the replica has not begun to close, or None."""
        while self._idle:
            line = self._idle.pop()
            if self._now_s() - line.free_since_s < IDLE_S:
                return line
            line.close()
        return None

    def gone(self, line: Line) -> None:
        """The line is closed."""
        self._lines -= 1
        if line in self._idle:
            self._idle.remove(line)

    def told(self, due_s: float, status: int, retry_after: bytes, body: bytes) -> None:
        reason = "" if status == 200 else f" {json.loads(body)['error']['type']}"
        self.became(due_s, f"{status}{reason}" + (f", again after {int(retry_after)} s" if retry_after else ""))

    def became(self, due_s: float, what: str) -> None:
        self._ms[what].append(1000 * (self._now_s() - due_s))

    def as_json(self) -> dict[str, Any]:
        """`late_ms`: how much later than they were due questions went out, which is the machine's doing."""
        return {
            "asked": self._asked,
            "became": {what: len(ms) for what, ms in self._ms.items()},
            "ms": {what: _quantiles(ms) for what, ms in self._ms.items()},
            "late_ms": _quantiles(self._late_ms),
            "core_s": time.process_time(),
        }


def _quantiles(ms: list[float]) -> dict[str, float]:
    return {name: round(percentile(ms, share), 1) for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))}


def _value(headers: list[bytes], name: bytes) -> bytes:
    return next((line.partition(b":")[2].strip() for line in headers if line.startswith(name + b":")), b"")


async def main(port: int, per_s: float, for_s: float) -> None:
    flood = Flood(port)
    await flood.ask(per_s, for_s)
    print(json.dumps(flood.as_json()))


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])))
