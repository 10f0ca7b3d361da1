"""Limits of body size, body time and concurrent requests."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ha_rag.http import bodies
from ha_rag.http.body_limit import MAX_BODY_BYTES, BodyLimit, max_body_bytes
from ha_rag.http.service import RequestLimits
from ha_rag.strategy.question import MAX_QUESTION_CHARS
from tests.http.app_client import AppClient, StubReplica


async def test_a_body_with_a_too_large_content_length_is_not_read(client):
    reply = await client.call("POST", "/v1/query", b"", headers={"content-length": str(MAX_BODY_BYTES + 1)})

    assert (reply.status, reply.error[0]) == (413, "too_large")
    assert reply.headers["connection"] == "close"


async def test_a_chunked_body_is_limited_as_it_arrives(client):
    chunks = [b" " * 4_000_000] * 3

    reply = await client.call("POST", "/v1/query", chunks=chunks)

    assert (reply.status, reply.error[0]) == (413, "too_large")


LONGEST = {"question": "\U0001f600" * MAX_QUESTION_CHARS}
"""The longest valid question, which json.dumps writes as twelve bytes a character."""


async def test_the_longest_valid_question_is_below_the_limit(client):
    assert (await client.call("POST", "/v1/query", LONGEST)).status == 200
    conversation = {"messages": [{"role": "user", "content": LONGEST["question"]}]}
    assert (await client.call("POST", "/v1/chat/completions", conversation)).status == 200


@pytest.mark.parametrize("path", ["/v1/query", "/v1/chat/completions", "/v1/documents"])
async def test_each_path_has_a_limit_of_its_own(client, path: str):
    most = max_body_bytes(path)

    too_many = await client.call("POST", path, b" " * (most + 1))
    just_right = await client.call("POST", path, b" " * most)

    assert (too_many.status, too_many.error[0]) == (413, "too_large")
    assert f"at most {most:,} bytes" in too_many.error[1]
    assert (just_right.status, just_right.error[0]) == (400, "invalid_json")


async def test_an_override_is_no_larger_than_a_question(client):
    reply = await client.call("PUT", "/v1/circuits/embedder.primary/override", b" " * 100_001)

    assert (reply.status, reply.error[0]) == (413, "too_large")


MANY = 300
HOSTILE: dict[str, tuple[str, str, Any]] = {
    "unknown fields": ("POST", "/v1/query", {"question": "How?", **{f"k{n}": 0 for n in range(MANY)}}),
    "empty lists": ("POST", "/v1/query", {"question": [[]] * MANY}),
    "nesting": ("POST", "/v1/query", b"[" * MANY),
    "metadata": ("POST", "/v1/documents", {"text": "Bees.", "metadata": {f"k{n}": None for n in range(MANY)}}),
    "an override": ("PUT", "/v1/circuits/embedder.primary/override", [0] * MANY),
    "messages": ("POST", "/v1/chat/completions", {"messages": [{}] * 10_001}),
    "ignored fields": ("POST", "/v1/chat/completions", {"tools": [0] * 10_001}),
}


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_a_body_with_too_many_values_is_refused_before_it_is_parsed(client, monkeypatch, hostile: str):
    method, path, body = HOSTILE[hostile]
    monkeypatch.setattr("ha_rag.http.bodies._parsed", lambda *_: pytest.fail("parsed"))

    reply = await client.call(method, path, body)

    assert (reply.status, reply.error[0], reply.headers["connection"]) == (413, "too_large", "close")
    assert "values" in reply.error[1]


async def test_too_many_values_are_noticed_before_the_rest_of_the_body_has_arrived(client):
    piece = b"[" + b"0," * MANY
    never = [piece, *[b"x" * 1000] * 50]

    reply = await client.call("POST", "/v1/query", chunks=never)

    assert (reply.status, reply.error[0]) == (413, "too_large")


async def test_the_parts_of_a_message_are_not_all_reported(client):
    parts = {"messages": [{"role": "user", "content": [{}] * 4_000}]}

    reply = await client.call("POST", "/v1/chat/completions", parts)

    assert (reply.status, reply.error[0]) == (422, "invalid_request")


@pytest.mark.parametrize(("characters", "beside"), [(10, False), (200_000, True)])
async def test_a_large_body_is_validated_beside_the_event_loop(client, monkeypatch, characters: int, beside: bool):
    seen: list[threading.Thread] = []
    parsed = bodies._parsed

    def noted(model: type[bodies.Body], content: bytes) -> bodies.Body:
        seen.append(threading.current_thread())
        return parsed(model, content)

    monkeypatch.setattr(bodies, "_parsed", noted)

    reply = await client.call("POST", "/v1/documents", {"text": "a" * characters})

    assert reply.status == 200
    assert [thread is not threading.main_thread() for thread in seen] == [beside]


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
