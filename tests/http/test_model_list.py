"""GET /v1/models and /v1/models/{id}."""

from __future__ import annotations

import pytest


async def test_the_pipeline_is_the_only_model(client):
    listed = (await client.call("GET", "/v1/models")).json

    assert listed["object"] == "list"
    assert [model["id"] for model in listed["data"]] == ["ha_rag"]
    assert (await client.call("GET", "/v1/models/ha_rag")).json == listed["data"][0]


async def test_another_model_is_not_found(client):
    reply = await client.call("GET", "/v1/models/gpt-4o")

    assert (reply.status, reply.error[0], reply.error[2]) == (404, "not_found", "model")
    assert "'ha_rag'" in reply.error[1]


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/ha_rag", "/v1/models/gpt-4o", "/v1/circuits", "/metrics"])
async def test_head_is_get_without_the_body(client, path):
    get, head = await client.call("GET", path), await client.call("HEAD", path)

    assert (head.status, head.body) == (get.status, b"")
    assert head.headers["content-type"] == get.headers["content-type"]
