"""OpenAI's parameters: which have an effect, and that the others are named, or refused with `strict`."""

from __future__ import annotations

from typing import Any

import pytest

from ha_rag.http.chat_parameters import LABELS, MAX_NAMED, NO_EFFECT, ChatBody
from tests.http.app_client import AppClient, Reply, StubReplica

QUESTION = {"role": "user", "content": "How?"}

ASKING: dict[str, Any] = {
    "audio": {"voice": "alloy", "format": "mp3"},
    "frequency_penalty": 0.5,
    "function_call": {"name": "f"},
    "functions": [{"name": "f"}],
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "max_completion_tokens": 5,
    "max_tokens": 5,
    "modalities": ["text", "audio"],
    "n": 2,
    "parallel_tool_calls": "sometimes",
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": -1,
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "response_format": {"type": "json_object"},
    "seed": 7,
    "service_tier": "priority",
    "stop": ["\n"],
    "store": True,
    "temperature": 0.2,
    "tool_choice": "required",
    "tools": [{"type": "function", "function": {"name": "f"}}],
    "top_logprobs": 3,
    "top_p": 0.5,
    "verbosity": "low",
    "web_search_options": {},
    "a_typo": 1,
}
"""Of each parameter without an effect, a value that asks for something; and a name that OpenAI does not have."""

USUAL = [(name, value) for name, values in NO_EFFECT.items() for value in values]


async def chatted(client: AppClient, **body: Any) -> Reply:
    return await client.call("POST", "/v1/chat/completions", {"messages": [QUESTION], **body})


@pytest.fixture
def strict_client() -> AppClient:
    return StubReplica(options={"strict_parameters": True}).client()


def test_each_parameter_without_an_effect_is_tried_here():
    assert set(NO_EFFECT) == set(ASKING) - {"a_typo"}


@pytest.mark.parametrize("name", ASKING)
async def test_a_parameter_without_an_effect_is_accepted_and_named(client, name):
    reply = await chatted(client, **{name: ASKING[name]})

    assert (reply.status, reply.json["ha_rag"]["ignored"]) == (200, [name])


@pytest.mark.parametrize("name", ASKING)
async def test_it_is_refused_by_name_if_the_request_is_strict(client, name):
    reply = await chatted(client, strict=True, **{name: ASKING[name]})

    kind, message, param = reply.error
    assert (reply.status, kind, param) == (422, "invalid_request", name)
    assert message.startswith(f"{name}: ")


@pytest.mark.parametrize(("name", "value"), [*USUAL, *((name, "x") for name in LABELS), *((n, None) for n in ASKING)])
async def test_a_value_that_asks_for_nothing_is_never_refused_nor_named(client, name, value):
    reply = await chatted(client, strict=True, **{name: value})

    assert (reply.status, reply.json["ha_rag"]["ignored"]) == (200, [])


async def test_the_server_may_be_strict_and_a_request_say_otherwise(strict_client):
    assert (await chatted(strict_client, tools=ASKING["tools"])).error[2] == "tools"
    assert (await chatted(strict_client, tools=ASKING["tools"], strict=None)).status == 422
    assert (await chatted(strict_client, tools=ASKING["tools"], strict=False)).status == 200
    assert (await chatted(strict_client)).status == 200


async def test_a_strict_stream_is_refused_with_a_status(client):
    assert (await chatted(client, strict=True, stream=True, n=3)).error[2] == "n"


async def test_of_many_unknown_parameters_the_first_are_named(client):
    reply = await chatted(client, **{f"unknown_{n}": 1 for n in range(100)})

    assert reply.json["ha_rag"]["ignored"] == [f"unknown_{n}" for n in range(MAX_NAMED)]


async def test_part_of_a_system_message_that_is_no_text_is_refused_if_the_request_is_strict(client):
    messages = [{"role": "system", "content": [{"type": "image_url"}]}, QUESTION]

    assert (await chatted(client, messages=messages, strict=True)).error[2] == "messages[0].content[0]"


def test_each_parameter_is_described():
    described = ChatBody.model_json_schema()["properties"]

    assert set(described) == {*ChatBody.model_fields, *NO_EFFECT, *LABELS}
    assert described["n"]["description"] == "No effect; refused if `strict`, except `1`."
