"""Sizes, times and numbers: what is too much is refused at once, and what must stay within reach does."""

from __future__ import annotations

import asyncio

from ha_rag.http.body_limit import MAX_BODY_BYTES, BodyLimit
from ha_rag.http.service import RequestLimits
from tests.http.street import House, Street


async def test_a_body_that_announces_too_much_is_not_read(street):
    reply = await street.call("POST", "/v1/query", b"", headers={"content-length": str(MAX_BODY_BYTES + 1)})

    assert (reply.status, reply.error[0]) == (413, "too_large")
    assert reply.headers["connection"] == "close"


async def test_a_body_in_chunks_is_counted_as_it_comes(street):
    chunks = [b" " * 4_000_000] * 3

    reply = await street.call("POST", "/v1/query", chunks=chunks)

    assert (reply.status, reply.error[0]) == (413, "too_large")


async def test_a_length_that_is_no_number_is_counted_as_it_comes(street):
    reply = await street.call("POST", "/v1/query", {"question": "How?"}, headers={"content-length": "9" * 30})

    assert reply.status == 200


async def test_a_document_may_be_nearly_as_large_as_the_limit(house, street):
    reply = await street.call("POST", "/v1/documents", {"id": "a", "text": "x" * 9_000_000})

    assert reply.status == 200
    assert len(house.documents.held["a"]) == 9_000_000


async def test_a_body_that_does_not_arrive_is_given_up():
    house = House()
    slow = BodyLimit(house.app, timeout_s=0.01)
    never = asyncio.Event()
    out = []

    async def receive():
        await never.wait()

    async def send(message):
        out.append(message)

    scope = Street(slow)._scope("POST", "/v1/query", {"content-type": "application/json"})
    await slow(scope, receive, send)

    assert out[0]["status"] == 408


async def test_beyond_the_number_at_work_the_next_is_told_at_once_to_come_again():
    entered, leave = asyncio.Event(), asyncio.Event()

    async def works() -> None:
        entered.set()
        await leave.wait()

    house = House(options={"limits": RequestLimits(max_concurrent=1)})
    house.rag.does = works
    street = house.street()
    first = asyncio.create_task(street.call("POST", "/v1/query", {"question": "one"}))
    await entered.wait()

    second = await street.call("POST", "/v1/query", {"question": "two"})
    within_reach = [
        (await street.call("GET", path)).status for path in ("/health", "/health/ready", "/v1/circuits", "/")
    ]
    leave.set()

    assert (second.status, second.error[0], second.headers["retry-after"]) == (503, "overloaded", "1")
    assert within_reach == [200, 200, 200, 200]
    assert (await first).status == 200
    assert (await street.call("POST", "/v1/query", {"question": "three"})).status == 200


async def test_a_place_is_given_back_when_a_request_fails():
    async def fails() -> None:
        raise RuntimeError

    house = House(options={"limits": RequestLimits(max_concurrent=1)})
    house.rag.does = fails
    street = house.street()

    statuses = [(await street.call("POST", "/v1/query", {"question": "?"})).status for _ in range(3)]

    assert statuses == [500, 500, 500]
