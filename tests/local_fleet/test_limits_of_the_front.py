"""Clients that would take the front's memory, connections or time from the others: each meets a bound."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

import aiohttp
import pytest
from aiohttp import web

from ha_rag.http.body_limit import MAX_BODY_BYTES
from ha_rag.http.connection import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, SPARE, ConnectionLimits
from ha_rag.local_fleet.connection import Connection
from ha_rag.local_fleet.front import FrontConfig
from ha_rag.local_fleet.relay import pass_back
from ha_rag.local_fleet.upstreams import Upstream
from tests.local_fleet.replica_stand_in import StandIn, serving, stays_silent
from tests.waiting import PATIENCE_S

GET = b"GET /v1/circuits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
KEPT = GET.replace(b"Connection: close\r\n", b"")
QUICK = FrontConfig(limits=ConnectionLimits(head_s=0.3, idle_s=0.3, unread_s=0.3), drain_s=0.5)


def post(announced: int, begun: bytes = b"") -> bytes:
    return b"POST /v1/documents HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (announced, begun)


def with_headers(*headers: bytes) -> bytes:
    return GET.replace(b"\r\n\r\n", b"\r\n" + b"\r\n".join(headers) + b"\r\n\r\n")


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield reader, writer
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


async def said(port: int, request: bytes) -> bytes:
    """All that comes back until the front hangs up."""
    async with connected(port) as (reader, writer):
        writer.write(request)
        return await reader.read()


async def first_reply(port: int, request: bytes) -> bytes:
    """What comes back before the front waits for the rest of the request."""
    async with connected(port) as (reader, writer):
        writer.write(request)
        return await reader.readuntil(b"}}")


def refusal(reply: bytes) -> tuple[int, str]:
    """Status and type of a refusal, which has the form of every other one and names no versions."""
    head, _, body = reply.partition(b"\r\n\r\n")
    assert b"\r\nserver: ha_rag\r\n" in head.lower() + b"\r\n"
    assert b"python" not in reply.lower()
    assert b"aiohttp" not in reply.lower()
    facts = json.loads(body)["error"]
    assert facts["message"]
    return int(head.split()[1]), facts["type"]


@pytest.fixture
def one() -> StandIn:
    return StandIn("rag-1")


@pytest.fixture
def narrow(monkeypatch) -> None:
    """The system takes few bytes for whoever does not read."""
    made = Connection.connection_made

    def narrowed(self: Connection, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16384)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", narrowed)


async def test_one_connection_too_many_is_told_so_and_hung_up_on_until_another_one_has_left(one: StandIn):
    config = FrontConfig(limits=ConnectionLimits(connections=1), drain_s=0.5)
    async with serving(config, one) as port:
        async with connected(port) as (reader, writer):
            writer.write(KEPT)
            assert (await reader.readuntil(b"\r\n\r\nrag-1")).startswith(b"HTTP/1.1 200 ")
            refused = await said(port, GET)
            writer.write(GET)
            assert (await reader.read()).startswith(b"HTTP/1.1 200 "), "who was in before is still served"
        assert (await said(port, GET)).startswith(b"HTTP/1.1 200 ")
    assert refusal(refused) == (503, "overloaded")
    assert b"\r\nRetry-After: 1\r\n" in refused


async def test_in_a_flood_of_connections_each_client_is_told_the_reason(one: StandIn):
    config = FrontConfig(limits=ConnectionLimits(connections=1), drain_s=0.5)
    async with serving(config, one) as port, connected(port) as (reader, writer), AsyncExitStack() as stack:
        writer.write(KEPT)
        await reader.readuntil(b"\r\n\r\nrag-1")
        flood = [await stack.enter_async_context(connected(port)) for _ in range(2 * SPARE)]
        for _, sender in flood:
            sender.write(KEPT)
        told = [refusal(await listener.readuntil(b"}}")) for listener, _ in flood]
    assert told == [(503, "overloaded")] * len(flood)


class Pours:
    """A replica's reply without an end, until its reader is gone."""

    def __init__(self) -> None:
        self.given_up = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65536)
        finally:
            self.given_up.set()


async def test_an_answer_that_is_not_read_is_given_up_and_so_is_the_replicas_reply(one: StandIn):
    one.answer = pours = Pours()
    async with serving(QUICK, one) as port, connected(port) as (_, writer):
        cast("asyncio.Transport", writer.transport).pause_reading()
        writer.write(GET)
        await pours.given_up.wait()


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("asked", [GET, KEPT], ids=["closed", "kept"])
async def test_an_answer_of_which_only_the_end_is_not_read_is_given_up_too(one: StandIn, asked: bytes):
    async def long(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * 60_000)

    one.answer = long
    config = FrontConfig(limits=ConnectionLimits(connections=1, idle_s=0.2, unread_s=0.2), drain_s=0.5)
    async with serving(config, one) as port:
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall(asked)
            async with asyncio.timeout(PATIENCE_S):
                while not (await said(port, GET)).startswith(b"HTTP/1.1 200 "):
                    pass  # its place is still taken


async def test_an_endless_stream_whose_reader_was_slow_once_goes_on_while_it_is_read(one: StandIn, monkeypatch):
    """A reader that has caught up has no time limit any more: the stream's end comes after all that it had."""
    config = FrontConfig(limits=ConnectionLimits(unread_s=PATIENCE_S), drain_s=0.5)
    slow, caught_up = asyncio.Event(), asyncio.Event()
    pause, resume = Connection.pause_writing, Connection.resume_writing
    limited: list[asyncio.TimerHandle] = []

    def paused(self: Connection) -> None:
        pause(self)
        assert self._unread is not None
        limited.append(self._unread)
        slow.set()

    def resumed(self: Connection) -> None:
        resume(self)
        caught_up.set()

    monkeypatch.setattr(Connection, "pause_writing", paused)
    monkeypatch.setattr(Connection, "resume_writing", resumed)

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        while not slow.is_set():
            await response.write(b": here\n\n" * 10_000)
        await caught_up.wait()
        await response.write(b"data: last\n\n")
        return response

    one.answer = events
    async with serving(config, one) as port, connected(port) as (reader, writer):
        transport = cast("asyncio.Transport", writer.transport)
        transport.pause_reading()
        writer.write(GET.replace(b"/v1/circuits", b"/v1/events"))
        await slow.wait()
        transport.resume_reading()
        assert b"data: last\n\n" in await reader.read()
    assert all(limit.cancelled() for limit in limited)


async def test_bodies_that_no_replica_has_replied_to_are_bounded_together(one: StandIn):
    one.answer = stays_silent
    config = FrontConfig(bodies_bytes=1000, drain_s=0.1)
    async with serving(config, one) as port:
        async with connected(port) as (_, writer):
            writer.write(post(800, b"x" * 800))
            await one.asked.wait()
            refused = await first_reply(port, post(800, b"x" * 300))
        await one.called_off.wait()
        one.answer = one.says_its_name
        served = await said(port, post(800, b"x" * 800).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1))
    assert refusal(refused) == (503, "overloaded")
    assert b"\r\nRetry-After: 1\r\n" in refused
    assert served.startswith(b"HTTP/1.1 200 "), "who has left holds nothing"


async def test_a_body_whose_announced_length_is_too_large_is_not_read_at_all(one: StandIn):
    async with serving(FrontConfig(), one) as port:
        assert refusal(await first_reply(port, post(MAX_BODY_BYTES + 1))) == (413, "too_large")


@pytest.mark.parametrize(
    "request_",
    [
        b"SECRET / nonsense\r\n\r\n",
        b"\x16\x03\x01SECRET\r\n\r\n",
        b"GET /SECRET HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization : Bearer SECRET\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: SECRET\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n",
    ],
    ids=["line", "TLS", "version", "header", "no host", "chunk"],
)
async def test_what_is_no_http_is_told_so_without_a_word_of_it(one: StandIn, request_: bytes, caplog):
    async with serving(FrontConfig(), one) as port:
        reply = await said(port, request_)
    assert refusal(reply) == (400, "bad_request")
    assert b"SECRET" not in reply
    assert "SECRET" not in caplog.text


async def test_whoever_goes_on_sending_what_is_no_http_hears_so_all_the_same(one: StandIn):
    async with serving(FrontConfig(), one) as port, connected(port) as (reader, writer):
        for _ in range(50):
            writer.write(b"SECRET / nonsense\r\n\r\n" * 5_000)
            await writer.drain()
        writer.write_eof()
        assert refusal(await reader.read()) == (400, "bad_request")


async def test_a_body_that_turns_out_to_be_none_is_told_so_too(one: StandIn, caplog):
    async with serving(FrontConfig(), one) as port, connected(port) as (reader, writer):
        head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
        writer.write(head)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SECRET\r\n")
        reply = await reader.read()
    assert refusal(reply) == (400, "bad_request")
    assert "SECRET" not in caplog.text


async def test_as_many_headers_as_a_replica_takes_pass_and_one_more_does_not(one: StandIn):
    most = [b"a: b"] * (MAX_HEADERS - 2)
    async with serving(FrontConfig(), one) as port:
        assert (await said(port, with_headers(*most))).startswith(b"HTTP/1.1 200 ")
        assert refusal(await said(port, with_headers(*most, b"a: b"))) == (431, "headers_too_large")


async def test_a_body_that_arrives_byte_by_byte_gets_no_extra_time(one: StandIn):
    async with serving(FrontConfig(body_s=0.5), one) as port, connected(port) as (reader, writer):
        writer.write(post(90_000))
        reading = asyncio.create_task(reader.readuntil(b"}}"))
        while not reading.done():
            writer.write(b" ")
            await asyncio.wait({reading}, timeout=0.02)
        assert refusal(await reading) == (408, "request_timeout")
    assert one.seen == []


CHUNKED = b"POST /v1/query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
BAD_FRAMING: dict[str, tuple[int, list[bytes]]] = {
    "no size": (400, [b"zz\r\nhello\r\n"]),
    "a size beyond counting": (400, [b"f" * 17 + b"\r\n"]),
    "a chunk longer than it says": (400, [b"5\r\nhel", b"loXX0\r\n\r\n"]),
    "a trailer that is none": (400, [b"2\r\n{}\r\n0\r\nbad trailer\r\n\r\n"]),
    "endless extensions": (400, [b"2;a=", b"x" * 200_000, b"x" * 200_000]),
    "too many trailers": (431, [b"2\r\n{}\r\n0\r\n", b"x: y\r\n" * (MAX_HEADERS + 1)]),
    "a trailer that is too long": (431, [b"2\r\n{}\r\n0\r\nx: ", b"y" * MAX_HEAD_BYTES, b"y" * 1000]),
}


@pytest.mark.parametrize("framing", BAD_FRAMING)
async def test_a_body_whose_chunks_are_malformed_is_refused_with_the_reason(one: StandIn, framing: str):
    status, pieces = BAD_FRAMING[framing]
    async with serving(FrontConfig(), one) as port, connected(port) as (reader, writer):
        writer.write(CHUNKED)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        reply = await reader.readuntil(b"}}")
    assert refusal(reply) == (status, "bad_request" if status == 400 else "headers_too_large")
    assert b"\r\nconnection: close\r\n" in reply.lower()
    assert one.seen == []


METRICS = ("/metrics", "/%6detrics", "/%6D%65trics", "/metrics?a=b", "http://elsewhere.example/metrics")
OTHERS = ("//metrics", "/./metrics", "/x/../metrics", "/metrics/", "/METRICS", "/%256detrics", "/metrics%2f")


async def test_the_metrics_of_one_replica_are_not_reached_by_another_spelling_of_their_path(one: StandIn):
    """Whatever a replica would take for /metrics is /metrics here; all else arrives as it was sent."""
    async with serving(FrontConfig(), one) as port:
        for path in METRICS:
            assert b"ha_rag_replica_up" in await said(port, GET.replace(b"/v1/circuits", path.encode())), path
        gathered = len(one.seen)
        for path in OTHERS:
            assert (await said(port, GET.replace(b"/v1/circuits", path.encode()))).endswith(b"rag-1"), path
    assert {request.raw_path for request in one.seen[:gathered]} == {"/metrics"}
    assert [request.raw_path for request in one.seen[gathered:]] == list(OTHERS)


@pytest.mark.parametrize("path", ["/v1/documents", "/v1/%64ocuments"])
async def test_a_path_has_the_same_limit_however_it_is_spelled(one: StandIn, path: str):
    longest = post(MAX_BODY_BYTES).replace(b"/v1/documents", path.encode())
    async with serving(FrontConfig(body_s=0.3), one) as port:
        assert refusal(await first_reply(port, longest)) == (408, "request_timeout")
        assert refusal(await first_reply(port, post(100_001).replace(b"/v1/documents", b"/v1/query")))[0] == 413


async def test_one_header_may_be_as_long_as_all_may_be_together(one: StandIn):
    async with serving(FrontConfig(), one) as port:
        assert (await said(port, with_headers(b"x: " + b"a" * 30_000))).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "headers",
    [[b"x: " + b"a" * 40_000], [b"x: " + b"a" * 200_000], [b"x: " + b"a" * 20_000] * 2],
    ids=["one", "still being sent", "two"],
)
async def test_a_head_that_is_too_long_is_refused_and_its_sender_hears_it(one: StandIn, headers: list[bytes]):
    async with serving(FrontConfig(), one) as port:
        assert refusal(await said(port, with_headers(*headers))) == (431, "headers_too_large")


async def test_a_long_head_is_not_waited_for_to_its_end(one: StandIn):
    async with serving(FrontConfig(), one) as port, connected(port) as (reader, writer):
        writer.write(GET[:-2])
        for _ in range(2 * MAX_HEAD_BYTES // 1000):
            writer.write(b"x: " + b"a" * 995 + b"\r\n")
            await writer.drain()
        assert refusal(await reader.read()) == (431, "headers_too_large")


async def test_a_body_and_the_begin_of_a_next_head_in_one_piece_are_not_taken_for_a_long_head(one: StandIn):
    async with serving(FrontConfig(), one) as port, connected(port) as (reader, writer):
        writer.write(post(50_000).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"x" * 50_000 + GET[:40])
        assert (await reader.readuntil(b"\r\n\r\nrag-1")).startswith(b"HTTP/1.1 200 ")
        writer.write(GET[40:])
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_a_slow_head_is_told_that_it_was_too_slow(one: StandIn):
    async with serving(QUICK, one) as port:
        assert refusal(await said(port, GET[:20])) == (408, "request_timeout")
        assert await said(port, b"") == b"", "who has said nothing is told nothing"


async def test_the_first_head_may_take_longer_than_a_connection_may_be_idle(one: StandIn):
    config = FrontConfig(limits=ConnectionLimits(head_s=0.3, idle_s=0.001), drain_s=0.5)
    async with serving(config, one) as port:
        assert refusal(await said(port, GET[:20])) == (408, "request_timeout")


async def test_some_requests_may_be_said_in_advance_and_thousands_may_not(one: StandIn):
    async with serving(FrontConfig(), one) as port:
        reply = await said(port, KEPT * MAX_PIPELINED + GET)
        assert reply.count(b"HTTP/1.1 200 OK") == MAX_PIPELINED + 1
        async with connected(port) as (reader, writer):
            writer.write(KEPT * 5000)
            with pytest.raises(ConnectionError):
                await reader.readuntil(b"no end")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (GET.replace(b"/v1/circuits", b"/metrics"), 200),
        (GET, 200),
        (GET.replace(b"GET /v1/circuits", b"OPTIONS *"), 404),
        (with_headers(b"Expect: wonders"), 417),
    ],
    ids=["metrics", "relayed", "no path", "wonders"],
)
async def test_every_reply_names_its_server_and_no_versions(one: StandIn, request_: bytes, status: int):
    async with serving(FrontConfig(), one) as port:
        reply = await said(port, request_)
    assert int(reply.split()[1]) == status
    assert b"\r\nserver: ha_rag\r\n" in reply.lower()
    assert b"aiohttp" not in reply.lower()
    if status >= 400:
        assert refusal(reply)[1] in ("not_found", "bad_request")


async def test_a_body_is_asked_for_where_its_sender_waits_for_that(one: StandIn):
    async with serving(FrontConfig(), one) as port, connected(port) as (reader, writer):
        head = post(2).replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
        writer.write(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"{}")
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_a_fault_of_the_front_tells_nothing_of_its_inside(one: StandIn, monkeypatch, caplog):
    async def falls_over(*_: object) -> web.StreamResponse:
        raise RuntimeError("SECRET")

    monkeypatch.setattr("ha_rag.local_fleet.front.pass_back", falls_over)
    async with serving(FrontConfig(), one) as port:
        reply = await said(port, GET)
    assert refusal(reply) == (500, "internal")
    assert b"SECRET" not in reply
    assert "RuntimeError" in caplog.text


async def test_a_client_that_leaves_in_the_very_moment_of_its_answer_is_no_fault(one: StandIn, monkeypatch, caplog):
    async def too_late(request: web.Request, replica: Upstream, reply: aiohttp.ClientResponse) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return await pass_back(request, replica, reply)

    monkeypatch.setattr("ha_rag.local_fleet.front.pass_back", too_late)
    async with serving(FrontConfig(), one) as port:
        assert await said(port, GET) == b""
        monkeypatch.undo()
        assert (await said(port, GET)).endswith(b"rag-1")
    assert caplog.text == ""


async def test_a_header_that_would_not_arrive_as_it_was_sent_is_refused(one: StandIn):
    async with serving(FrontConfig(), one) as port:
        assert (await said(port, with_headers("x: ä".encode()))).startswith(b"HTTP/1.1 200 ")
        assert refusal(await said(port, with_headers("x: ä".encode("latin-1")))) == (422, "invalid_request")
    assert [request.headers["x"] for request in one.seen] == ["ä"]
