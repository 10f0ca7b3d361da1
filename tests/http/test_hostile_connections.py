"""Clients that violate HTTP, over real sockets: their input is not stored, and they are disconnected."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
from starlette.responses import Response

from ha_rag.http.connection import MAX_HEADERS, MAX_PIPELINED, MAX_REFUSED_BYTES, ConnectionLimits
from ha_rag.http.service import RequestLimits
from tests.http.app_client import StubReplica
from tests.http.sockets import BODY, QUERY, close, get, serving
from tests.waiting import PATIENCE_S, until

QUICK = ConnectionLimits(head_s=0.3, idle_s=1.0, unread_s=0.3)
PATIENT = ConnectionLimits(head_s=60.0, idle_s=60.0, unread_s=60.0)

LIVE = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHUNKED = (
    b"POST /v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
KEEP_ALIVE_QUERY = QUERY.replace(b"Connection: close\r\n", b"")


class BusyReplica:
    """A replica with a capacity of one, whose first request is in flight until `leave` is set."""

    def __init__(self) -> None:
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.replica = StubReplica(options={"limits": RequestLimits(max_concurrent=1)})
        self.replica.rag.action = self._wait

    async def _wait(self) -> None:
        self.entered.set()
        await self.leave.wait()


@asynccontextmanager
async def at_capacity(limits: ConnectionLimits):
    """A server at capacity, and the replica that makes it so."""
    work = BusyReplica()
    async with serving(limits, work.replica) as server:
        reader, writer = await server.open()
        writer.write(QUERY)
        await work.entered.wait()
        yield server, work
        work.leave.set()
        await reader.read()
        await close(writer)


async def flood(writer: asyncio.StreamWriter, piece: bytes, times: int) -> int:
    """How often `piece` could be sent before the server closed the connection."""
    for sent in range(times):
        writer.write(piece)
        try:
            await writer.drain()
        except ConnectionError:
            return sent
        await asyncio.sleep(0)  # client and server share this event loop
    return times


async def closed(reader: asyncio.StreamReader) -> None:
    """Waits until the server has closed or reset the connection."""
    async with asyncio.timeout(PATIENCE_S):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass


async def test_a_line_break_after_an_answer_does_not_keep_the_connection_open():
    async with serving(QUICK) as server:
        reader, writer = await server.open()
        writer.write(LIVE)
        await reader.readuntil(b"}")
        writer.write(b"\r\n")
        await closed(reader)
        await close(writer)


async def test_a_request_with_too_many_headers_is_refused():
    async with serving(PATIENT) as server:
        most = get("/health/live").replace(b"\r\n\r\n", b"\r\n" + b"a: b\r\n" * (MAX_HEADERS - 2) + b"\r\n")
        assert await server.status(most) == 200
        reply = await server.send(most.replace(b"a: b\r\n", b"a: b\r\na: b\r\n", 1))

    assert reply.startswith(b"HTTP/1.1 431 ")
    assert b"at most 100 headers" in reply


@pytest.mark.parametrize("size", [40_000, 200_000], ids=["in one piece", "still being sent"])
async def test_a_head_that_is_too_long_is_refused_and_the_client_receives_the_reply(size: int):
    async with serving(PATIENT) as server:
        reply = await server.send(get("/health/live").replace(b"\r\n\r\n", b"\r\nX: " + b"a" * size + b"\r\n\r\n"))

    assert reply.startswith(b"HTTP/1.1 431 ")


async def test_endless_trailers_are_not_stored():
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY))
        writer.write(b"X-More: and more\r\n" * 100_000)
        await closed(reader)
        await close(writer)


async def test_trailers_are_ignored():
    async def echo_headers(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        names = b" ".join(name for name, _ in scope["headers"])
        await Response(names)(scope, receive, send)

    replica = StubReplica()
    replica.app = echo_headers
    async with serving(PATIENT, replica) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED + b"1\r\na\r\n0\r\n")
        writer.write(b"Authorization: Bearer me\r\n\r\n" + get("/"))
        reply = await reader.read()
        await close(writer)

    assert reply.count(b"HTTP/1.1 200 ") == 2
    assert b"authorization" not in reply


async def test_input_that_is_not_http_gets_an_error_in_the_common_form():
    async with serving(PATIENT) as server:
        reply = await server.send(b"\x16\x03\x01 a TLS hello\r\n\r\n")

    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["type"] == "bad_request"


BAD_FRAMING = {
    "no size": [b"zz\r\nhello\r\n"],
    "a negative size": [b"-5\r\nhello\r\n"],
    "a size beyond counting": [b"f" * 17 + b"\r\n"],
    "a chunk longer than it says": [b"5\r\nhel", b"loXX0\r\n\r\n"],
    "line feeds alone": [b"5\nhello\n0\n\n"],
    "a trailer that is none": [b"2\r\n{}\r\n0\r\nbad trailer\r\n\r\n"],
    "endless extensions": [b"2;a=" + b"x" * (MAX_REFUSED_BYTES + 200_000)],
    "endless trailers": [b"2\r\n{}\r\n0\r\n", b"x: y\r\n" * (MAX_REFUSED_BYTES // 6 + 30_000)],
}


@pytest.mark.parametrize("framing", BAD_FRAMING)
async def test_a_body_whose_chunks_are_malformed_gets_an_error_in_the_common_form(framing: str):
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED)
        for piece in BAD_FRAMING[framing]:
            writer.write(piece)
            await writer.drain()
        head, _, body = (await reader.readuntil(b"}}")).partition(b"\r\n\r\n")
        await close(writer)

    assert head.startswith(b"HTTP/1.1 400 Bad Request")
    assert b"connection: close" in head
    assert json.loads(body)["error"]["type"] == "bad_request"


async def test_a_replica_at_capacity_does_not_read_a_large_body_to_its_end():
    async with at_capacity(PATIENT) as (server, _):
        reader, writer = await server.open()
        writer.write(CHUNKED)
        assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 503 ")
        assert await flood(writer, b"10000\r\n" + b"a" * 65536 + b"\r\n", times=400) < 400, "the server read all of it"
        await close(writer)


async def test_a_client_refused_at_capacity_can_retry_on_the_same_connection():
    async with at_capacity(PATIENT) as (server, work):
        reader, writer = await server.open()
        head, _, body = KEEP_ALIVE_QUERY.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        refused = await reader.readuntil(b"}}")
        writer.write(body)
        work.leave.set()
        writer.write(QUERY)
        reply = await reader.read()
        await close(writer)

    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 1\r\n" in refused
    assert reply.startswith(b"HTTP/1.1 200 ")


async def test_a_refused_request_that_is_never_finished_does_not_keep_its_connection_open():
    async with at_capacity(QUICK) as (server, _):
        reader, writer = await server.open()
        writer.write(KEEP_ALIVE_QUERY[:-5])
        await reader.readuntil(b"}}")
        await closed(reader)
        await close(writer)


async def test_a_body_that_is_too_large_is_refused_while_it_is_being_sent():
    async with serving(PATIENT) as server:
        head = CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 20000000")
        reply = await server.send(head + b" " * 100_000)

    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in reply


async def test_a_client_that_does_not_stop_sending_is_disconnected():
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 20000000"))
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        await until(lambda: server.connections() == 0)
        await close(writer)


async def test_a_few_requests_can_be_pipelined():
    async with serving(PATIENT) as server:
        reply = await server.send(KEEP_ALIVE_QUERY * MAX_PIPELINED + QUERY)

    assert reply.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED + 1


async def test_thousands_of_pipelined_requests_are_cut_off():
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(LIVE * 5000)
        reply = await _read_all(reader)
        await close(writer)

    assert reply.count(b"HTTP/1.1 200 OK") < 200


async def test_no_error_is_written_while_an_answer_is_pending():
    work = BusyReplica()
    async with serving(QUICK, work.replica) as server:
        reader, writer = await server.open()
        writer.write(KEEP_ALIVE_QUERY + QUERY[:40])
        reply = await _read_all(reader)
        await close(writer)

    assert reply == b""


@pytest.mark.parametrize("closing", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_whose_end_is_not_read_is_aborted(closing: bytes):
    def narrow(listening: socket.socket) -> None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    replica = StubReplica()
    replica.app = Response(b"x" * 40_000)
    async with serving(QUICK, replica, narrow) as server:
        with socket.socket() as silent:
            silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            silent.connect(("127.0.0.1", server.port))
            silent.sendall(LIVE.replace(b"\r\n\r\n", b"\r\n" + closing + b"\r\n"))
            await until(lambda: server.connections() == 1)
            await until(lambda: server.connections() == 0)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server closes or resets the connection."""
    got = bytearray()
    async with asyncio.timeout(PATIENCE_S):
        try:
            while piece := await reader.read(65536):
                got += piece
        except ConnectionError:
            pass
    return bytes(got)
