"""The OpenAPI document: whole in itself, and true of the very server that hands it out."""

from __future__ import annotations

import json
import re

import pytest

from ha_rag.http.access import Access
from tests.http.street import House


async def test_the_description_leads_nowhere_outside_itself(street):
    described = (await street.call("GET", "/openapi.json")).json

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
async def test_the_description_asks_for_the_keys_that_this_server_wants_and_shows_none(access, schemes):
    reply = await House(options={"access": access}).street().call("GET", "/openapi.json")
    described = reply.json
    wanting: dict[str, set[str]] = {}
    for path in ("/v1/query", "/v1/circuits", "/v1/circuits/{name}/override", "/health"):
        for operation in described["paths"][path].values():
            for scheme in operation.get("security", [{}])[0]:
                wanting.setdefault(scheme, set()).add(path)

    assert wanting == schemes
    assert set(described["components"].get("securitySchemes", {})) == set(schemes)
    assert b"k-1" not in reply.body
    assert b"t-1" not in reply.body
    assert b"x-operators-only" not in reply.body
