"""How tests talk to processes they started: JSON lines over a Unix socket, one request and one answer each.

A connection is one life of what is behind it: when the test leaves, whatever it had set up there ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

LONGEST_LINE = 64 * 1024 * 1024


class Actor(Protocol):
    """What a connection speaks to: every method `do_<verb>` is a verb."""

    async def aclose(self) -> None: ...


class Remote:
    """The test's end. `await remote("verb", name=value)` answers what the verb returned."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._reading = asyncio.ensure_future(self._read(reader))

    @classmethod
    async def open(cls, path: Path, runs: Callable[[], bool], within_s: float = 60.0) -> Remote:
        """Connects as soon as something listens, as long as it `runs`."""
        async with asyncio.timeout(within_s):
            while True:
                with contextlib.suppress(OSError):
                    return cls(*await asyncio.open_unix_connection(path, limit=LONGEST_LINE))
                if not runs():
                    raise ConnectionError(f"nothing runs behind {path}")
                await asyncio.sleep(0.02)

    async def __call__(self, verb: str, **given: Any) -> Any:
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._writer.write(json.dumps({"n": number, "verb": verb, "given": given}).encode() + b"\n")
        return await answer

    async def _read(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while line := await reader.readline():
                told = json.loads(line)
                answer = self._waiting.pop(told["n"])
                if answer.done():
                    continue
                if "error" in told:
                    answer.set_exception(RuntimeError(told["error"]))
                else:
                    answer.set_result(told["answer"])
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ConnectionError("the process is gone"))

    async def aclose(self) -> None:
        self._writer.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def serve(path: Path, actor: Callable[[], Actor]) -> None:
    """The process's end: listens until the program that started it is gone (its end of stdin is closed)."""
    _end_with_parent()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _life(actor(), reader, writer)

    server = await asyncio.start_unix_server(connected, path, limit=LONGEST_LINE)
    async with server:
        await server.serve_forever()


async def _life(actor: Actor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    under_way: set[asyncio.Task[None]] = set()
    try:
        while line := await reader.readline():
            task = asyncio.ensure_future(_answer(actor, json.loads(line), writer))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
    finally:
        for task in under_way:
            task.cancel()
        await actor.aclose()
        writer.close()


async def _answer(actor: Actor, asked: dict[str, Any], writer: asyncio.StreamWriter) -> None:
    try:
        told = {"n": asked["n"], "answer": await getattr(actor, f"do_{asked['verb']}")(**asked["given"])}
    except Exception as error:
        told = {"n": asked["n"], "error": f"{type(error).__name__}: {error}"}
    writer.write(json.dumps(told).encode() + b"\n")


def _end_with_parent() -> None:
    def watch() -> None:
        sys.stdin.buffer.read()
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
