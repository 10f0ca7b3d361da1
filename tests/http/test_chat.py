"""The OpenAI-compatible endpoints."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ha_rag.errors import ServiceTimeoutError
from tests.http.app_client import Reply

QUESTION = {"role": "user", "content": "How?"}


def events(reply: Reply) -> list[Any]:
    """The data of each server-sent event; "[DONE]" stays a string."""
    lines = [block.removeprefix("data: ") for block in reply.body.decode().split("\n\n") if block]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_an_answer_is_a_completion_with_our_fields_added(replica, client):
    reply = await client.call("POST", "/v1/chat/completions", {"model": "gpt-4o", "messages": [QUESTION]})

    assert reply.status == 200
    assert (reply.json["object"], reply.json["model"]) == ("chat.completion", "gpt-4o")
    assert reply.json["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "By a probe [1]."}, "finish_reason": "stop"}
    ]
    assert reply.json["ha_rag"]["degraded_stages"] == ["embedder"]
    assert replica.rag.queries == [("How?", 3, 30.0)]


async def test_the_last_user_message_is_the_question(replica, client):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "second?"}]},
    ]

    await client.call("POST", "/v1/chat/completions", {"messages": messages})

    assert replica.rag.queries[0][0] == "And\nsecond?"


async def test_other_openai_fields_are_ignored(client):
    body = {"messages": [QUESTION], "temperature": 0.2, "max_tokens": 5, "user": "u", "tools": []}

    assert (await client.call("POST", "/v1/chat/completions", body)).status == 200


async def test_a_stream_begins_with_a_role_and_ends_with_our_fields(client):
    reply = await client.call("POST", "/v1/chat/completions", {"messages": [QUESTION], "stream": True})

    *chunks, end = events(reply)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert end == "[DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "By a "},
        {"content": "probe [1]."},
        {},
    ]
    assert {chunk["id"] for chunk in chunks} == {"a1"}
    assert (chunks[-1]["choices"][0]["finish_reason"], chunks[-1]["ha_rag"]["degraded"]) == ("stop", True)


async def test_a_stream_that_breaks_ends_with_an_error(replica, client):
    replica.rag.breaks = True

    reply = await client.call("POST", "/v1/chat/completions", {"messages": [QUESTION], "stream": True})

    assert events(reply)[-1] == {"error": {"type": "stream_broken", "message": "the service failed", "param": None}}


async def test_a_failure_before_the_first_piece_has_a_status(replica, client):
    async def fails() -> None:
        raise ServiceTimeoutError("no answer within 2 s")

    replica.rag.action = fails

    reply = await client.call("POST", "/v1/chat/completions", {"messages": [QUESTION], "stream": True})

    assert (reply.status, reply.error[0]) == (504, "service_timeout")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [QUESTION, {"role": "user", "content": " \x00"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "x" * 8001}]}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [QUESTION], "stream": "yes"}, "stream"),
        ({"messages": [QUESTION], "top_k": 0}, "top_k"),
    ],
)
async def test_an_invalid_conversation_is_refused_with_its_field(client, body, param):
    reply = await client.call("POST", "/v1/chat/completions", body)

    assert (reply.status, reply.error[2]) == (422, param)


async def test_the_pipeline_is_the_only_model(client):
    assert [model["id"] for model in (await client.call("GET", "/v1/models")).json["data"]] == ["ha_rag"]
