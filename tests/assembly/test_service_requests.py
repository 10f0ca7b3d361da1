"""What the settings of a component make of its requests."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ha_rag.assembly.configuration import load_settings
from ha_rag.assembly.tiers import embedder_tiers, generator_tiers
from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.messages import Space
from tests.components.canned import CannedService, canned_service, json_reply

VECTOR = json_reply({"data": [{"index": 0, "embedding": [0.6, 0.8]}]})
ANSWER = json_reply({"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]})


async def embedded(folder: Path, keys: str, answer: bytes = VECTOR, model: str = "m") -> tuple[CannedService, Space]:
    async with canned_service(answer) as service:
        (folder / "ha_rag.toml").write_text(
            f'[[embedders]]\nname = "e"\nkind = "openai"\nbase_url = "{service.base_url}"\nmodel = "{model}"\n'
            f'dimension = 2\napi_key_env = "MY_KEY"\n{keys}\n'
        )
        (tier,) = embedder_tiers(load_settings(folder / "ha_rag.toml", {"MY_KEY": "sk-1"}))
        embedding = await tier.component.embed("a")
        assert isinstance(tier.component, OpenAIEmbedder)
        await tier.component.aclose()
    assert embedding.space is not None
    return service, embedding.space


@pytest.mark.parametrize(
    ("keys", "model", "sent"),
    [
        ("", "m", {"model": "m", "encoding_format": "base64"}),
        ('encoding_format = "float"', "m", {"model": "m", "encoding_format": "float"}),
        ('encoding_format = "none"', "m", {"model": "m"}),
        ("send_dimension = true", "m", {"model": "m", "encoding_format": "base64", "dimensions": 2}),
        (
            "",
            "text-embedding-3-small",
            {"model": "text-embedding-3-small", "encoding_format": "base64", "dimensions": 2},
        ),
        (
            'send_dimension = false\nencoding_format = "none"',
            "text-embedding-3-small",
            {"model": "text-embedding-3-small"},
        ),
        ('request_model = "alias"\nencoding_format = "none"', "m", {"model": "alias"}),
        (
            'extra_body = { user = "rag", nested = { a = [1, 2.5] } }\nencoding_format = "none"',
            "m",
            {"model": "m", "user": "rag", "nested": {"a": [1, 2.5]}},
        ),
    ],
)
async def test_the_body_of_a_request_for_vectors(tmp_path: Path, keys: str, model: str, sent: dict[str, Any]) -> None:
    service, space = await embedded(tmp_path, keys, model=model)
    assert service.body() == {**sent, "input": ["a"]}
    assert space == Space(model, "", 2)  # an alias does not change what the vectors are


async def test_headers_and_the_header_of_the_key(tmp_path: Path) -> None:
    keys = 'api_key_header = "api-key"\nheaders = { X-Team = "search", x-portkey-provider = "openai" }'
    service, _ = await embedded(tmp_path, keys)
    sent = service.headers()
    assert {name: sent.get(name) for name in ("api-key", "authorization", "x-team", "x-portkey-provider")} == {
        "api-key": "sk-1",
        "authorization": None,
        "x-team": "search",
        "x-portkey-provider": "openai",
    }


@pytest.mark.parametrize("asked", ["base64", "float", "none"])
@pytest.mark.parametrize("answered", ["base64", "float"])
async def test_vectors_of_either_form_are_read_whatever_was_asked_for(
    tmp_path: Path, asked: str, answered: str
) -> None:
    vector = np.array([0.6, 0.8], "<f4")
    value: object = base64.b64encode(vector.tobytes()).decode() if answered == "base64" else vector.tolist()
    reply = json_reply({"data": [{"embedding": value}]})
    await embedded(tmp_path, f'encoding_format = "{asked}"', reply)


async def test_the_body_of_a_request_for_an_answer(tmp_path: Path) -> None:
    async with canned_service(ANSWER) as service:
        (tmp_path / "ha_rag.toml").write_text(
            f'[[generators]]\nname = "g"\nkind = "openai"\nbase_url = "{service.base_url}"\nmodel = "m"\n'
            'request_model = "team/m"\nextra_body = { temperature = 0.1, max_tokens = 400 }\n'
        )
        (tier,) = generator_tiers(load_settings(tmp_path / "ha_rag.toml", {}))
        await tier.component.generate("How?", [])
        await tier.component.aclose()  # type: ignore[attr-defined]  # of an OpenAIGenerator
    sent = service.body()
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["stream"]) == ("team/m", 0.1, 400, False)
