"""A service on a loopback port that answers each call with hand-written bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass
class CannedService:
    base_url: str = ""
    requests: list[bytes] = field(default_factory=list)

    def body(self, n: int = -1) -> Any:
        return orjson.loads(self.requests[n].split(b"\r\n\r\n", 1)[1])

    def headers(self, n: int = -1) -> dict[str, str]:
        lines = self.requests[n].split(b"\r\n\r\n", 1)[0].decode().split("\r\n")[1:]
        return {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}


def reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    lines = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body


def json_reply(value: object, status: str = "200 OK", **headers: str) -> bytes:
    return reply(orjson.dumps(value), status, **headers)


def events(*data: str, end: bytes = b"") -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    return head + b"".join(f"data: {item}\n\n".encode() for item in data) + end


Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def raw_service(handler: Handler) -> AsyncIterator[str]:
    """A server whose connections `handler` serves; yields its base URL, and leaves no connection behind."""
    serving: set[asyncio.Task[Any] | None] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        tasks = [task for task in serving if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def canned_service(*replies: bytes | None, hangs: bool = False) -> AsyncIterator[CannedService]:
    """Answers the first call with the first reply, and so on; the last one again and again. None: no answer at all.

    `hangs`: the connection stays open after a reply.
    """
    service, left = CannedService(), list(replies)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line)
        service.requests.append(head + await reader.readexactly(length))
        canned = left.pop(0) if len(left) > 1 else left[0]
        if canned is None:
            await asyncio.Event().wait()
        else:
            writer.write(canned)
            await writer.drain()
        if hangs:
            await asyncio.Event().wait()

    async with raw_service(answer) as service.base_url:
        yield service
