"""OpenAI's form of the same answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ha_rag.errors import ServiceTimeoutError
from tests.http.street import Reply

QUESTION = {"role": "user", "content": "How?"}


def events(reply: Reply) -> list[Any]:
    """The data of each server-sent event; the end mark stays a string."""
    lines = [block.removeprefix("data: ") for block in reply.body.decode().split("\n\n") if block]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_an_answer_comes_as_a_completion_with_our_facts_beside_it(house, street):
    reply = await street.call("POST", "/v1/chat/completions", {"model": "gpt-4o", "messages": [QUESTION]})

    assert reply.status == 200
    assert (reply.json["object"], reply.json["model"]) == ("chat.completion", "gpt-4o")
    assert reply.json["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": "By a probe [1]."}, "finish_reason": "stop"}
    ]
    assert reply.json["ha_rag"]["degraded_stages"] == ["embedder"]
    assert house.rag.asked == [("How?", 3, 30.0)]


async def test_the_last_user_message_is_the_question(house, street):
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "First?"},
        {"role": "assistant", "content": "Yes."},
        {"role": "user", "content": [{"type": "text", "text": "And"}, {"type": "text", "text": "second?"}]},
    ]

    await street.call("POST", "/v1/chat/completions", {"messages": messages})

    assert house.rag.asked[0][0] == "And\nsecond?"


async def test_fields_of_other_servers_are_ignored(street):
    body = {"messages": [QUESTION], "temperature": 0.2, "max_tokens": 5, "user": "u", "tools": []}

    assert (await street.call("POST", "/v1/chat/completions", body)).status == 200


async def test_a_stream_begins_with_a_role_and_ends_with_the_whole_truth(street):
    reply = await street.call("POST", "/v1/chat/completions", {"messages": [QUESTION], "stream": True})

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


async def test_a_stream_that_breaks_ends_with_an_error_and_not_as_if_it_were_whole(house, street):
    house.rag.breaks = True

    reply = await street.call("POST", "/v1/chat/completions", {"messages": [QUESTION], "stream": True})

    assert events(reply)[-1] == {"error": {"type": "stream_broken", "message": "the service hung up", "param": None}}


async def test_what_fails_before_the_first_piece_has_a_status(house, street):
    async def fails() -> None:
        raise ServiceTimeoutError("no answer within 2 s")

    house.rag.does = fails

    reply = await street.call("POST", "/v1/chat/completions", {"messages": [QUESTION], "stream": True})

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
async def test_a_wrong_conversation_is_refused_by_its_field(street, body, param):
    reply = await street.call("POST", "/v1/chat/completions", body)

    assert (reply.status, reply.error[2]) == (422, param)


async def test_there_is_one_model_the_pipeline(street):
    assert [model["id"] for model in (await street.call("GET", "/v1/models")).json["data"]] == ["ha_rag"]
