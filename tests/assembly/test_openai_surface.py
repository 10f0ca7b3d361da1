"""/v1/chat/completions of a whole replica: wishes reach the language model, and what it reports reaches the client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.replica import build_replica
from tests.components.canned import canned_service, events, json_reply
from tests.http.app_client import AppClient

CONFIGURATION = """
[[embedders]]
name = "hashing"
kind = "hashing"

[[generators]]
name = "model"
kind = "openai"
base_url = "{base_url}"
model = "m"

[[generators]]
name = "extractive"
kind = "extractive"
"""
USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
MESSAGES = [{"role": "system", "content": "Answer in German."}, {"role": "user", "content": "How?"}]


def whole() -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": "Er ruht."}, "finish_reason": "length"}
    return json_reply({"choices": [choice], "usage": USAGE})


def streamed() -> bytes:
    pieces = ({"delta": {"content": "Er ruht."}, "finish_reason": None}, {"delta": {}, "finish_reason": "length"})
    chunks = [*({"choices": [piece]} for piece in pieces), {"choices": [], "usage": USAGE}]
    return events(*(orjson.dumps(chunk).decode() for chunk in chunks), "[DONE]")


async def chatted(folder: Path, model: bytes, **more: Any) -> tuple[Any, bytes]:
    """The request that the model got, and the body of the replica's reply."""
    async with canned_service(model) as service:
        (folder / "ha_rag.toml").write_text(CONFIGURATION.format(base_url=service.base_url))
        settings = load_settings(folder / "ha_rag.toml", variables={"HA_RAG_REPLICA": "rag-1"})
        async with build_replica(settings).running() as replica:
            reply = await AppClient(replica.app).call("POST", "/v1/chat/completions", {"messages": MESSAGES, **more})
        return service.body(), reply.body


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


async def test_wishes_reach_the_model_and_its_usage_and_finish_reason_the_client(tmp_path: Path) -> None:
    asked, body = await chatted(tmp_path, whole())

    reply = orjson.loads(body)
    assert "Answer in German." in asked["messages"][0]["content"]
    assert (reply["choices"][0]["message"]["content"], reply["choices"][0]["finish_reason"]) == ("Er ruht.", "length")
    assert (reply["usage"], reply["ha_rag"]["truncated"]) == (USAGE, True)


async def test_the_same_in_a_stream(tmp_path: Path) -> None:
    asked, body = await chatted(tmp_path, streamed(), stream=True, stream_options={"include_usage": True})

    *_, end, usage, done = body.decode().strip().split("\n\n")
    assert "Answer in German." in asked["messages"][0]["content"]
    assert orjson.loads(end.removeprefix("data: "))["choices"][0]["finish_reason"] == "length"
    assert (orjson.loads(usage.removeprefix("data: "))["usage"], done) == (USAGE, "data: [DONE]")
