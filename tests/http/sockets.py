"""Raw sockets to a running server, to send bytes that no HTTP client sends."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ha_rag.http.connection import ConnectionLimits
from ha_rag.http.files import allow_files
from ha_rag.http.server import DrainingServer, listening_socket
from tests.http.app_client import StubReplica
from tests.waiting import PATIENCE_S

BODY = json.dumps({"question": "How does a circuit recover?"}).encode()
QUERY = (
    b"POST /v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(BODY), BODY)
)
PARTIAL_HEAD = QUERY[:40]
PARTIAL_BODY = QUERY[:-5]


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()


class Server:
    """A running server. `connections`: number of connections open on its side."""

    def __init__(self, port: int, connections: Callable[[], int]) -> None:
        self.port = port
        self.connections = connections

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)

    async def send(self, request: bytes) -> bytes:
        """Sends `request`, and returns everything until the server closes the connection."""
        reader, writer = await self.open()
        try:
            writer.write(request)
            async with asyncio.timeout(PATIENCE_S):
                return await reader.read()
        finally:
            await close(writer)

    async def status(self, request: bytes) -> int:
        return int((await self.send(request)).split()[1])


async def close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def serving(
    limits: ConnectionLimits,
    replica: StubReplica | None = None,
    prepare: Callable[[socket.socket], None] = lambda _: None,
) -> AsyncIterator[Server]:
    """A server on a loopback port. `prepare` is called with the listening socket; accepted ones inherit its options."""
    replica = replica or StubReplica()
    with listening_socket("127.0.0.1", 0) as listening:
        prepare(listening)
        server = DrainingServer(
            replica.app,
            host="127.0.0.1",
            port=0,
            finish_s=1.0,
            on_draining=lambda: None,
            on_serving=(up := asyncio.Event()).set,
            notice_s=0.0,
            limits=limits,
        )
        running = asyncio.create_task(server.serve([listening]))
        await up.wait()
        try:
            yield Server(listening.getsockname()[1], lambda: len(server.server_state.connections))
        finally:
            server.drain()
            server.drain()
            await running


@asynccontextmanager
async def many_connections(server: Server, number: int, begin: bytes) -> AsyncIterator[list[asyncio.StreamReader]]:
    """`number` connections that have sent `begin` and stay open."""
    allow_files(number * 2 + 500)
    opened = [await server.open() for _ in range(number)]
    for _, writer in opened:
        writer.write(begin)
    try:
        yield [reader for reader, _ in opened]
    finally:
        await asyncio.gather(*(close(writer) for _, writer in opened))
