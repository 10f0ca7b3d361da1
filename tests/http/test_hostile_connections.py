"""Clients that break the manners of HTTP, over real sockets: what they send is not kept, nobody waits for them."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager

import pytest
from starlette.responses import Response

from ha_rag.http.connection import MAX_HEADERS, MAX_WAITING, ConnectionLimits
from ha_rag.http.service import RequestLimits
from tests.http.sockets import ASK, BODY, get, hung_up, serving
from tests.http.street import House
from tests.waiting import until

QUICK = ConnectionLimits(head_s=0.3, idle_s=1.0, unread_s=0.3)
PATIENT = ConnectionLimits(head_s=60.0, idle_s=60.0, unread_s=60.0)

LIVE = b"GET /health/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CHUNKED = (
    b"POST /v1/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)
KEPT_ASK = ASK.replace(b"Connection: close\r\n", b"")


class Busy:
    """A house for one request at a time, which is at work on one until `leave` is set."""

    def __init__(self) -> None:
        self.entered, self.leave = asyncio.Event(), asyncio.Event()
        self.house = House(options={"limits": RequestLimits(max_concurrent=1)})
        self.house.rag.does = self._works

    async def _works(self) -> None:
        self.entered.set()
        await self.leave.wait()


@asynccontextmanager
async def busy(limits: ConnectionLimits):
    """A server that is full, and what makes it so."""
    work = Busy()
    async with serving(limits, work.house) as server:
        reader, writer = await server.open()
        writer.write(ASK)
        await work.entered.wait()
        yield server, work
        work.leave.set()
        await reader.read()
        await hung_up(writer)


async def poured(writer: asyncio.StreamWriter, piece: bytes, times: int) -> int:
    """How often a piece could be sent before the server hung up."""
    for sent in range(times):
        writer.write(piece)
        try:
            await writer.drain()
        except ConnectionError:
            return sent
        await asyncio.sleep(0)  # both ends live on this event loop
    return times


async def ended(reader: asyncio.StreamReader) -> None:
    """Waits until the server has hung up, in whatever way."""
    async with asyncio.timeout(10):
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
        await ended(reader)
        await hung_up(writer)


async def test_a_request_with_too_many_headers_is_refused():
    async with serving(PATIENT) as server:
        most = get("/health/live").replace(b"\r\n\r\n", b"\r\n" + b"a: b\r\n" * (MAX_HEADERS - 2) + b"\r\n")
        assert await server.status(most) == 200
        reply = await server.say(most.replace(b"a: b\r\n", b"a: b\r\na: b\r\n", 1))

    assert reply.startswith(b"HTTP/1.1 431 ")
    assert b"at most 100 headers" in reply


@pytest.mark.parametrize("size", [40_000, 200_000], ids=["in one piece", "still being sent"])
async def test_a_head_that_is_too_long_is_refused_and_its_sender_hears_it(size: int):
    async with serving(PATIENT) as server:
        reply = await server.say(get("/health/live").replace(b"\r\n\r\n", b"\r\nX: " + b"a" * size + b"\r\n\r\n"))

    assert reply.startswith(b"HTTP/1.1 431 ")


async def test_headers_after_a_body_are_not_collected():
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(BODY), BODY))
        writer.write(b"X-More: and more\r\n" * 100_000)
        await ended(reader)
        await hung_up(writer)


async def test_a_few_headers_after_a_body_are_ignored():
    async def told(scope, receive, send):
        while (await receive()).get("more_body"):
            pass
        names = b" ".join(name for name, _ in scope["headers"])
        await Response(names)(scope, receive, send)

    house = House()
    house.app = told
    async with serving(PATIENT, house) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED + b"1\r\na\r\n0\r\n")
        writer.write(b"Authorization: Bearer me\r\n\r\n" + get("/"))
        reply = await reader.read()
        await hung_up(writer)

    assert reply.count(b"HTTP/1.1 200 ") == 2
    assert b"authorization" not in reply


async def test_what_is_no_http_is_told_so_in_the_form_of_every_error():
    async with serving(PATIENT) as server:
        reply = await server.say(b"\x16\x03\x01 what a browser says to a port with TLS\r\n\r\n")

    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert json.loads(body)["error"]["type"] == "bad_request"


async def test_a_full_replica_reads_no_large_body_to_its_end():
    async with busy(PATIENT) as (server, _):
        reader, writer = await server.open()
        writer.write(CHUNKED)
        assert (await reader.readuntil(b"}}")).startswith(b"HTTP/1.1 503 ")
        assert await poured(writer, b"10000\r\n" + b"a" * 65536 + b"\r\n", times=400) < 400, "it stopped reading"
        await hung_up(writer)


async def test_a_client_that_a_full_replica_refused_may_ask_again_on_the_same_connection():
    async with busy(PATIENT) as (server, work):
        reader, writer = await server.open()
        head, _, body = KEPT_ASK.partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        refused = await reader.readuntil(b"}}")
        writer.write(body)
        work.leave.set()
        writer.write(ASK)
        reply = await reader.read()
        await hung_up(writer)

    assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"retry-after: 1\r\n" in refused
    assert reply.startswith(b"HTTP/1.1 200 ")


async def test_a_refused_request_that_is_never_finished_keeps_no_connection_open():
    async with busy(QUICK) as (server, _):
        reader, writer = await server.open()
        writer.write(KEPT_ASK[:-5])
        await reader.readuntil(b"}}")
        await ended(reader)
        await hung_up(writer)


async def test_a_body_that_is_too_large_is_told_so_while_it_is_still_being_sent():
    async with serving(PATIENT) as server:
        head = CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 20000000")
        reply = await server.say(head + b" " * 100_000)

    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in reply


async def test_who_goes_on_sending_after_that_is_not_waited_for():
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(CHUNKED.replace(b"Transfer-Encoding: chunked", b"Content-Length: 20000000"))
        assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
        await until(lambda: server.connections() == 0)
        await hung_up(writer)


async def test_some_requests_may_be_said_in_advance():
    async with serving(PATIENT) as server:
        reply = await server.say(KEPT_ASK * MAX_WAITING + ASK)

    assert reply.count(b"HTTP/1.1 200 OK") == MAX_WAITING + 1


async def test_thousands_may_not():
    async with serving(PATIENT) as server:
        reader, writer = await server.open()
        writer.write(LIVE * 5000)
        reply = await _all(reader)
        await hung_up(writer)

    assert reply.count(b"HTTP/1.1 200 OK") < 200


async def test_nothing_is_said_in_the_midst_of_an_answer():
    work = Busy()
    async with serving(QUICK, work.house) as server:
        reader, writer = await server.open()
        writer.write(KEPT_ASK + ASK[:40])
        reply = await _all(reader)
        await hung_up(writer)

    assert reply == b""


@pytest.mark.parametrize("closing", [b"", b"Connection: close\r\n"], ids=["kept", "closed"])
async def test_an_answer_of_which_only_the_end_is_not_read_is_given_up_too(closing: bytes):
    def narrow(listening: socket.socket) -> None:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)

    house = House()
    house.app = Response(b"x" * 40_000)
    async with serving(QUICK, house, narrow) as server:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", server.port))
            deaf.sendall(LIVE.replace(b"\r\n\r\n", b"\r\n" + closing + b"\r\n"))
            await until(lambda: server.connections() == 1)
            await until(lambda: server.connections() == 0)


async def _all(reader: asyncio.StreamReader) -> bytes:
    """Everything until the server hangs up, in whatever way."""
    got = bytearray()
    async with asyncio.timeout(10):
        try:
            while piece := await reader.read(65536):
                got += piece
        except ConnectionError:
            pass
    return bytes(got)
