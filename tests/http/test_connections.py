"""Connection limits, over real sockets: idle clients, slow clients and slow readers do not affect others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.responses import StreamingResponse

from ha_rag.http.connection import MAX_HEAD_BYTES, SPARE, ConnectionLimits
from ha_rag.http.service import RequestLimits
from tests.http.app_client import StubReplica
from tests.http.sockets import BODY, PARTIAL_BODY, PARTIAL_HEAD, QUERY, close, get, many_connections, serving
from tests.waiting import PATIENCE_S

QUICK = ConnectionLimits(connections=2048, head_s=0.3, idle_s=1.0, unread_s=0.3)
PATIENT = ConnectionLimits(connections=2048, head_s=60.0)


@pytest.mark.parametrize("begin", [b"", PARTIAL_HEAD, PARTIAL_BODY], ids=["nothing", "half a head", "half a body"])
async def test_a_thousand_slow_clients_do_not_block_the_others(begin):
    replica = StubReplica(options={"limits": RequestLimits(max_concurrent=4)})
    async with serving(PATIENT, replica) as server, many_connections(server, 1000, begin):
        assert [await server.status(QUERY) for _ in range(20)] == [200] * 20
        assert await server.status(get("/health/ready")) == 200


async def test_an_incomplete_head_times_out_with_408():
    async with serving(QUICK) as server:
        reply = await server.send(PARTIAL_HEAD)

    assert reply.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["message"].endswith("within 0.3 s")


async def test_a_head_that_arrives_byte_by_byte_gets_no_extra_time():
    async with serving(QUICK) as server:
        reader, writer = await server.open()
        reading = asyncio.create_task(reader.read())
        for byte in QUERY:
            writer.write(bytes([byte]))
            await asyncio.wait({reading}, timeout=0.02)
            if reading.done():
                break
        await close(writer)

    assert (await reading).startswith(b"HTTP/1.1 408")


async def test_a_body_that_arrives_byte_by_byte_gets_no_extra_time_and_takes_no_slot():
    replica = StubReplica(options={"limits": RequestLimits(request_timeout_s=0.5, max_concurrent=1)})
    async with serving(ConnectionLimits(), replica) as server:
        reader, writer = await server.open()
        writer.write(QUERY.partition(b"\r\n\r\n")[0].replace(b"%d" % len(BODY), b"90000") + b"\r\n\r\n")
        reading = asyncio.create_task(reader.read())
        statuses = []
        while not reading.done():
            writer.write(b" ")
            statuses.append(await server.status(QUERY))
            await asyncio.wait({reading}, timeout=0.02)
        await close(writer)

    assert (await reading).startswith(b"HTTP/1.1 408")
    assert set(statuses) == {200}


async def test_a_connection_without_a_request_is_closed_without_a_reply():
    async with serving(QUICK) as server:
        assert await server.send(b"") == b""


async def test_the_second_request_of_a_connection_has_its_own_timeout():
    async with serving(QUICK) as server:
        reader, writer = await server.open()
        writer.write(get("/health/live").replace(b"Connection: close\r\n", b""))
        await reader.readuntil(b"}")
        writer.write(PARTIAL_HEAD)
        reply = await reader.read()
        await close(writer)

    assert reply.startswith(b"HTTP/1.1 408")


async def test_endless_headers_are_refused():
    async with serving(PATIENT) as server:
        reply = await server.send(PARTIAL_HEAD + b"\r\nX-Long: " + b"a" * MAX_HEAD_BYTES)

    assert reply.startswith(b"HTTP/1.1 431 ")
    assert b'"headers_too_large"' in reply


async def test_a_large_body_does_not_count_towards_the_head():
    async with serving(PATIENT) as server:
        body = json.dumps({"question": "a" * 7_999}).encode() + b" " * (2 * MAX_HEAD_BYTES)
        head = QUERY.partition(b"\r\n\r\n")[0].replace(str(len(BODY)).encode(), str(len(body)).encode())
        assert await server.status(head + b"\r\n\r\n" + body) == 200


async def test_beyond_the_connection_limit_only_health_and_metrics_are_served():
    async with (
        serving(ConnectionLimits(connections=20, head_s=60.0)) as server,
        many_connections(server, 20, PARTIAL_HEAD),
    ):
        assert await server.status(get("/health/live")) == 200
        assert await server.status(get("/metrics")) == 200
        reply = await server.send(QUERY)

    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in reply
    assert b"limit of 20 connections" in reply


async def test_beyond_the_spare_connections_nothing_is_served():
    async with (
        serving(ConnectionLimits(connections=20, head_s=60.0)) as server,
        many_connections(server, 20 + SPARE, PARTIAL_HEAD),
    ):
        assert await server.status(get("/health/live")) == 503


async def test_in_a_flood_of_connections_each_client_is_told_the_reason_and_few_are_kept():
    async with (
        serving(ConnectionLimits(connections=20, head_s=60.0)) as server,
        many_connections(server, 20 + SPARE, PARTIAL_HEAD),
        many_connections(server, 3 * SPARE, QUERY) as flood,
    ):
        told = [await reader.readuntil(b"}}") for reader in flood]
        kept = server.connections()

    assert {reply.split(b"\r\n")[0] for reply in told} == {b"HTTP/1.1 503 Service Unavailable"}
    assert kept <= 20 + 2 * SPARE


async def test_an_answer_that_is_not_read_is_aborted():
    aborted = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield await asyncio.to_thread(bytes, 100_000)
        finally:
            aborted.set()

    replica = StubReplica()
    replica.app = StreamingResponse(endless())
    async with serving(QUICK, replica) as server:
        _, writer = await server.open()
        writer.write(get("/"))
        async with asyncio.timeout(PATIENCE_S):
            await aborted.wait()
        await close(writer)
