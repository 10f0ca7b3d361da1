"""The OpenAPI document: self-contained, and with the security of the server that serves it."""

from __future__ import annotations

import json
import re

import pytest

from ha_rag.http.access import Access
from tests.http.app_client import StubReplica


async def test_every_reference_in_the_description_resolves(client):
    described = (await client.call("GET", "/openapi.json")).json

    assert re.findall(r'"\$ref": "(?!#/components/schemas/)', json.dumps(described)) == []
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert named <= set(described["components"]["schemas"])


@pytest.mark.parametrize(
    ("access", "schemes"),
    [
        (Access(), {}),
        (Access(api_keys=("k-1",)), {"key": {"/v1/query", "/v1/circuits", "/v1/circuits/{name}/override"}}),
        (Access(admin_token="t-1"), {"operator": {"/v1/circuits/{name}/override"}}),
        (
            Access(admin_token="t-1", api_keys=("k-1",)),
            {"key": {"/v1/query", "/v1/circuits"}, "operator": {"/v1/circuits/{name}/override"}},
        ),
    ],
)
async def test_the_description_states_the_required_keys_and_reveals_none(access, schemes):
    reply = await StubReplica(options={"access": access}).client().call("GET", "/openapi.json")
    described = reply.json
    required: dict[str, set[str]] = {}
    for path in ("/v1/query", "/v1/circuits", "/v1/circuits/{name}/override", "/health"):
        for operation in described["paths"][path].values():
            for scheme in operation.get("security", [{}])[0]:
                required.setdefault(scheme, set()).add(path)

    assert required == schemes
    assert set(described["components"].get("securitySchemes", {})) == set(schemes)
    assert b"k-1" not in reply.body
    assert b"t-1" not in reply.body
    assert b"x-operators-only" not in reply.body
