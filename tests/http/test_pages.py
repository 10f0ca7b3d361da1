"""The pages: self-hosted, with a strict content security policy."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_loads_everything_from_this_server(client, path):
    page = await client.call("GET", path)
    html = page.body.decode()
    parts = [
        link for link in re.findall(r'(?:src|href)="([^"]+)"', html) if link not in ("/docs", "/health", "#circuits")
    ]

    assert page.status == 200
    assert parts
    assert all(part.startswith("/") for part in parts)
    for part in parts:
        assert (await client.call("GET", part)).status == 200, part
    assert "https://" not in html


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_cannot_be_framed_or_load_from_elsewhere(client, path):
    policy = (await client.call("GET", path)).headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_the_playground_runs_no_inline_script(client):
    reply = await client.call("GET", "/")

    assert "unsafe-inline" not in reply.headers["content-security-policy"]
    assert "<script>" not in reply.body.decode()


async def test_every_endpoint_is_described_with_its_errors(client):
    described = (await client.call("GET", "/openapi.json")).json

    paths = {path: sorted(methods) for path, methods in described["paths"].items()}
    assert paths == {
        "/v1/query": ["post"],
        "/v1/chat/completions": ["post"],
        "/v1/models": ["get"],
        "/v1/models/{model}": ["get"],
        "/v1/circuits": ["get"],
        "/v1/circuits/{name}": ["get"],
        "/v1/circuits/{name}/override": ["delete", "put"],
        "/v1/events": ["get"],
        "/v1/fleet": ["get"],
        "/v1/orders": ["get"],
        "/v1/experiment": ["get"],
        "/v1/experiment/end": ["post"],
        "/v1/experiment/resume": ["post"],
        "/v1/feedback": ["get", "post"],
        "/v1/documents": ["get", "post"],
        "/v1/documents/{document}": ["delete", "get"],
        "/metrics": ["get"],
        "/health": ["get"],
        "/health/live": ["get"],
        "/health/ready": ["get"],
    }
    query = described["paths"]["/v1/query"]["post"]
    assert set(query["responses"]) >= {"200", "400", "413", "415", "422", "503"}
    body = query["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["question"]["maxLength"] == 8000


@pytest.mark.parametrize("path", ["/web/../watcher.py", "/web/%2e%2e/watcher.py", "/docs/assets/../core.py"])
async def test_only_the_pages_own_files_are_served(client, path):
    assert (await client.call("GET", path)).status == 404


@pytest.mark.parametrize("path", ["/", "/docs", "/web/main.js", "/docs/assets/swagger-ui.css"])
async def test_browsers_revalidate_pages_and_assets(client, path):
    reply = await client.call("GET", path)

    assert (reply.status, reply.headers["cache-control"]) == (200, "no-cache")


async def test_an_unchanged_asset_is_not_sent_again(client):
    first = await client.call("GET", "/web/main.js")
    again = await client.call("GET", "/web/main.js", headers={"if-none-match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")
