"""POST /v1/chat/completions: its forms, and what is read of a conversation."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from ha_rag.components.generators.wishes import MAX_WISHES_CHARS
from ha_rag.errors import ServiceTimeoutError
from ha_rag.messages import TokenUsage
from tests.http.app_client import AppClient, Reply, StubReplica

QUESTION = {"role": "user", "content": "How?"}
TEXT = {"type": "text", "text": "How?"}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}


async def chatted(client: AppClient, **body: Any) -> Reply:
    return await client.call("POST", "/v1/chat/completions", {"messages": [QUESTION], **body})


def events(reply: Reply) -> list[Any]:
    """The data of each server-sent event; "[DONE]" stays a string."""
    lines = [block.removeprefix("data: ") for block in reply.body.decode().split("\n\n") if block]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_an_answer_is_a_completion_with_our_fields_added(replica, client):
    reply = await chatted(client, model="gpt-4o")

    assert reply.status == 200
    assert (reply.json["object"], reply.json["model"]) == ("chat.completion", "gpt-4o")
    message = {"role": "assistant", "content": "By a probe [1].", "refusal": None}
    assert reply.json["choices"] == [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}]
    assert reply.json["ha_rag"]["degraded_stages"] == ["embedder"]
    assert replica.rag.queries == [("How?", 3, 30.0)]


async def test_the_last_user_message_is_the_question(replica, client):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "second?"}]},
    ]

    await chatted(client, messages=messages)

    assert replica.rag.queries[0][0] == "And\nsecond?"


@pytest.mark.parametrize(
    "earlier",
    [
        {"role": "user", "content": [IMAGE]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function"}]},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"role": "assistant"},
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
        {"role": "function", "name": "f", "content": "4"},
        {"role": "user", "content": ""},
    ],
)
async def test_an_earlier_message_may_hold_what_is_not_supported(replica, client, earlier):
    assert (await chatted(client, messages=[earlier, QUESTION])).status == 200
    assert replica.rag.queries[0][0] == "How?"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("messages", "wishes"),
    [
        ([], ""),
        ([{"role": "system", "content": "Answer in German."}], "Answer in German."),
        ([{"role": "developer", "content": [{"type": "text", "text": "As a list."}]}], "As a list."),
        ([{"role": "system", "content": " One. "}, {"role": "developer", "content": "Two."}], "One.\nTwo."),
        ([{"role": "system", "content": None}, {"role": "system", "content": [IMAGE]}], ""),
        ([{"role": "assistant", "content": "Answer in Latin."}], ""),
    ],
)
async def test_system_messages_are_wishes(replica, client, messages, wishes, stream):
    await chatted(client, messages=[*messages, QUESTION], stream=stream)

    assert replica.rag.wishes == [wishes]


async def test_what_is_left_out_of_the_wishes_is_named(replica, client):
    long = {"role": "system", "content": [{"type": "text", "text": "x" * MAX_WISHES_CHARS + "y"}, IMAGE]}

    reply = await chatted(client, messages=[QUESTION, long])

    assert replica.rag.wishes == ["x" * MAX_WISHES_CHARS]
    assert reply.json["ha_rag"]["ignored"] == [
        "messages[1].content[1]", "messages (those of the system beyond 8,000 characters)",
    ]  # fmt: skip


async def test_a_stream_begins_with_a_role_and_ends_with_our_fields(client):
    reply = await chatted(client, stream=True)

    *chunks, end = events(reply)
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert end == "[DONE]"
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "By a "},
        {"content": "probe [1]."},
        {},
    ]
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {("a1", chunks[0]["created"])}
    assert not any("usage" in chunk for chunk in chunks)
    assert (chunks[-1]["choices"][0]["finish_reason"], chunks[-1]["ha_rag"]["degraded"]) == ("stop", True)


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("content_filter", "content_filter"),
        ("insufficient_system_resource", "length"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_why_the_answer_ended_is_said_in_openais_words(replica, client, said, passed_on, stream):
    replica.rag.answer = replace(replica.rag.answer, finish_reason=said)

    reply = await chatted(client, stream=stream)

    last = events(reply)[-2] if stream else reply.json
    assert last["choices"][0]["finish_reason"] == passed_on
    assert (last["ha_rag"]["finish_reason"], last["ha_rag"]["truncated"]) == (said, said != "stop")


@pytest.mark.parametrize(("usage", "told"), [(TokenUsage(30, 12), USAGE), (None, None)])
async def test_a_completion_has_the_usage_if_it_is_known(replica, client, usage, told):
    replica.rag.answer = replace(replica.rag.answer, usage=usage)

    assert (await chatted(client)).json.get("usage") == told


@pytest.mark.parametrize(("usage", "told"), [(TokenUsage(30, 12), USAGE), (None, None)])
async def test_a_stream_ends_with_the_usage_if_that_is_asked_for(replica, client, usage, told):
    replica.rag.answer = replace(replica.rag.answer, usage=usage)

    *chunks, last, end = events(await chatted(client, stream=True, stream_options={"include_usage": True}))

    assert (last["choices"], last["usage"], end) == ([], told, "[DONE]")
    assert all(chunk["usage"] is None for chunk in chunks)


async def test_a_stream_that_breaks_ends_with_an_error(replica, client):
    replica.rag.breaks = True

    reply = await chatted(client, stream=True)

    assert events(reply)[-1] == {"error": {"type": "stream_broken", "message": "the service failed", "param": None}}


async def test_a_failure_before_the_first_piece_has_a_status(replica, client):
    async def fails() -> None:
        raise ServiceTimeoutError("no answer within 2 s")

    replica.rag.action = fails

    reply = await chatted(client, stream=True)

    assert (reply.status, reply.error[0]) == (504, "service_timeout")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [QUESTION, {"role": "user", "content": " \x00"}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": "x" * 8001}]}, "messages[0].content"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": ["How?"]}, "messages[0]"),
        ({"messages": [QUESTION, {"role": "user", "content": 5}]}, "messages[1].content"),
        ({"messages": [{"role": "user", "content": ["How?"]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [TEXT, IMAGE]}]}, "messages[0].content[1].type"),
        ({"messages": [{"role": "user", "content": [TEXT, {"type": "text"}]}]}, "messages[0].content[1].text"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages[0].content[0].text"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
        ({"top_k": 0}, "top_k"),
        ({"strict": "yes"}, "strict"),
    ],
)
async def test_an_invalid_conversation_is_refused_with_its_field(client, body, param):
    reply = await chatted(client, **body)

    assert (reply.status, reply.error[2]) == (422, param), reply.body
    assert reply.error[1].startswith(f"{param}: ")


async def test_an_unsupported_part_is_named_by_its_type(client):
    reply = await chatted(client, messages=[{"role": "user", "content": [IMAGE]}])

    assert reply.error[1] == (
        "messages[0].content[0].type: 'image_url' is not supported; questions are text, in parts of type 'text'"
    )


@pytest.mark.parametrize("name", ["model", "stream", "stream_options", "strict", "top_k", "temperature", "tools"])
async def test_null_for_an_optional_field_is_absence(replica: StubReplica, client, name):
    reply = await chatted(client, **{name: None})

    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    assert (reply.json["model"], reply.json["ha_rag"]["ignored"]) == ("ha_rag", [])
    assert replica.rag.queries == [("How?", 3, 30.0)]
