"""Connections, over real sockets: those who say nothing, say it slowly or never listen take nothing from the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from starlette.responses import StreamingResponse

from ha_rag.http.connection import MAX_HEAD_BYTES, SPARE, ConnectionLimits
from ha_rag.http.service import RequestLimits
from tests.http.sockets import ASK, BEGUN, BODY, WITHOUT_END, get, hung_up, many, serving
from tests.http.street import House

QUICK = ConnectionLimits(connections=2048, head_s=0.3, idle_s=1.0, unread_s=0.3)
PATIENT = ConnectionLimits(connections=2048, head_s=60.0)


@pytest.mark.parametrize("begin", [b"", BEGUN, WITHOUT_END], ids=["nothing", "half a head", "half a body"])
async def test_a_thousand_slow_clients_take_nothing_from_the_others(begin):
    house = House(options={"limits": RequestLimits(max_concurrent=4)})
    async with serving(PATIENT, house) as server, many(server, 1000, begin):
        assert [await server.status(ASK) for _ in range(20)] == [200] * 20
        assert await server.status(get("/health/ready")) == 200


async def test_a_head_that_does_not_arrive_is_told_so_and_hung_up_on():
    async with serving(QUICK) as server:
        reply = await server.say(BEGUN)

    assert reply.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["message"].endswith("within 0.3 s")


async def test_a_head_that_arrives_letter_by_letter_is_given_no_more_time_than_one_that_stops():
    async with serving(QUICK) as server:
        reader, writer = await server.open()
        ending = asyncio.create_task(reader.read())
        for letter in ASK:
            writer.write(bytes([letter]))
            await asyncio.wait({ending}, timeout=0.02)
            if ending.done():
                break
        await hung_up(writer)

    assert (await ending).startswith(b"HTTP/1.1 408")


async def test_who_asks_nothing_is_hung_up_on_without_a_word():
    async with serving(QUICK) as server:
        assert await server.say(b"") == b""


async def test_the_second_request_of_a_connection_has_its_own_time():
    async with serving(QUICK) as server:
        reader, writer = await server.open()
        writer.write(get("/health/live").replace(b"Connection: close\r\n", b""))
        await reader.readuntil(b"}")
        writer.write(BEGUN)
        reply = await reader.read()
        await hung_up(writer)

    assert reply.startswith(b"HTTP/1.1 408")


async def test_headers_without_end_are_refused():
    async with serving(PATIENT) as server:
        reply = await server.say(BEGUN + b"\r\nX-Long: " + b"a" * MAX_HEAD_BYTES)

    assert reply.startswith(b"HTTP/1.1 431 ")
    assert b'"headers_too_large"' in reply


async def test_a_large_body_is_no_large_head():
    async with serving(PATIENT) as server:
        body = json.dumps({"question": "a" * 7_999}).encode() + b" " * (2 * MAX_HEAD_BYTES)
        head = ASK.partition(b"\r\n\r\n")[0].replace(str(len(BODY)).encode(), str(len(body)).encode())
        assert await server.status(head + b"\r\n\r\n" + body) == 200


async def test_beyond_the_number_of_connections_only_health_is_answered():
    async with serving(ConnectionLimits(connections=20, head_s=60.0)) as server, many(server, 20, BEGUN):
        assert await server.status(get("/health/live")) == 200
        assert await server.status(get("/metrics")) == 200
        reply = await server.say(ASK)

    assert reply.startswith(b"HTTP/1.1 503 ")
    assert b"retry-after: 1" in reply
    assert b"20 connections open" in reply


async def test_far_beyond_it_nothing_is_listened_to():
    async with serving(ConnectionLimits(connections=20, head_s=60.0)) as server, many(server, 20 + SPARE, BEGUN):
        assert await server.status(get("/health/live")) == 503


async def test_an_answer_that_nobody_reads_is_given_up():
    given_up = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        try:
            while True:
                yield await asyncio.to_thread(bytes, 100_000)
        finally:
            given_up.set()

    house = House()
    house.app = StreamingResponse(endless())
    async with serving(QUICK, house) as server:
        _, writer = await server.open()
        writer.write(get("/"))
        async with asyncio.timeout(10):
            await given_up.wait()
        await hung_up(writer)
