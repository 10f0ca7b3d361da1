"""Limits of body size, body time and concurrent requests."""

from __future__ import annotations

import asyncio

from ha_rag.http.body_limit import MAX_BODY_BYTES, BodyLimit
from ha_rag.http.service import RequestLimits
from tests.http.app_client import AppClient, StubReplica


async def test_a_body_with_a_too_large_content_length_is_not_read(client):
    reply = await client.call("POST", "/v1/query", b"", headers={"content-length": str(MAX_BODY_BYTES + 1)})

    assert (reply.status, reply.error[0]) == (413, "too_large")
    assert reply.headers["connection"] == "close"


async def test_a_chunked_body_is_limited_as_it_arrives(client):
    chunks = [b" " * 4_000_000] * 3

    reply = await client.call("POST", "/v1/query", chunks=chunks)

    assert (reply.status, reply.error[0]) == (413, "too_large")


async def test_an_invalid_content_length_is_ignored(client):
    reply = await client.call("POST", "/v1/query", {"question": "How?"}, headers={"content-length": "9" * 30})

    assert reply.status == 200


async def test_a_document_just_below_the_limit_is_accepted(replica, client):
    reply = await client.call("POST", "/v1/documents", {"id": "a", "text": "x" * 9_000_000})

    assert reply.status == 200
    assert len(replica.documents.texts["a"]) == 9_000_000


async def test_a_body_that_does_not_arrive_times_out():
    replica = StubReplica()
    slow = BodyLimit(replica.app, timeout_s=0.01)
    never = asyncio.Event()
    out = []

    async def receive():
        await never.wait()

    async def send(message):
        out.append(message)

    scope = AppClient(slow)._scope("POST", "/v1/query", {"content-type": "application/json"})
    await slow(scope, receive, send)

    assert out[0]["status"] == 408


async def test_a_request_beyond_capacity_is_refused_at_once_with_retry_after():
    entered, leave = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await leave.wait()

    replica = StubReplica(options={"limits": RequestLimits(max_concurrent=1)})
    replica.rag.action = wait
    client = replica.client()
    first = asyncio.create_task(client.call("POST", "/v1/query", {"question": "one"}))
    await entered.wait()

    second = await client.call("POST", "/v1/query", {"question": "two"})
    always_served = [
        (await client.call("GET", path)).status for path in ("/health", "/health/ready", "/v1/circuits", "/")
    ]
    leave.set()

    assert (second.status, second.error[0], second.headers["retry-after"]) == (503, "overloaded", "1")
    assert always_served == [200, 200, 200, 200]
    assert (await first).status == 200
    assert (await client.call("POST", "/v1/query", {"question": "three"})).status == 200


async def test_a_failed_request_frees_its_slot():
    async def fails() -> None:
        raise RuntimeError

    replica = StubReplica(options={"limits": RequestLimits(max_concurrent=1)})
    replica.rag.action = fails
    client = replica.client()

    statuses = [(await client.call("POST", "/v1/query", {"question": "?"})).status for _ in range(3)]

    assert statuses == [500, 500, 500]
