"""The pages: they work without anybody else's servers, and cannot be turned against their reader."""

from __future__ import annotations

import re

import pytest


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_asks_nobody_else_for_anything(street, path):
    page = await street.call("GET", path)
    html = page.body.decode()
    parts = [one for one in re.findall(r'(?:src|href)="([^"]+)"', html) if one not in ("/docs", "/health", "#circuits")]

    assert page.status == 200
    assert parts
    assert all(part.startswith("/") for part in parts)
    for part in parts:
        assert (await street.call("GET", part)).status == 200, part
    assert "https://" not in html


@pytest.mark.parametrize("path", ["/", "/docs"])
async def test_a_page_may_not_be_framed_nor_load_from_elsewhere(street, path):
    policy = (await street.call("GET", path)).headers["content-security-policy"]

    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy


async def test_the_playground_runs_no_inline_script(street):
    reply = await street.call("GET", "/")

    assert "unsafe-inline" not in reply.headers["content-security-policy"]
    assert "<script>" not in reply.body.decode()


async def test_every_endpoint_is_described_with_its_errors(street):
    described = (await street.call("GET", "/openapi.json")).json

    paths = {path: sorted(methods) for path, methods in described["paths"].items()}
    assert paths == {
        "/v1/query": ["post"],
        "/v1/chat/completions": ["post"],
        "/v1/models": ["get"],
        "/v1/circuits": ["get"],
        "/v1/circuits/{name}": ["get"],
        "/v1/circuits/{name}/override": ["delete", "put"],
        "/v1/events": ["get"],
        "/v1/fleet": ["get"],
        "/v1/documents": ["post"],
        "/v1/documents/{document}": ["delete"],
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
async def test_nothing_but_the_pages_own_files_is_served(street, path):
    assert (await street.call("GET", path)).status == 404


@pytest.mark.parametrize("path", ["/", "/docs", "/web/main.js", "/docs/assets/swagger-ui.css"])
async def test_no_browser_keeps_a_page_beyond_its_version(street, path):
    reply = await street.call("GET", path)

    assert (reply.status, reply.headers["cache-control"]) == (200, "no-cache")


async def test_an_asset_that_is_still_the_same_is_not_sent_again(street):
    first = await street.call("GET", "/web/main.js")
    again = await street.call("GET", "/web/main.js", headers={"if-none-match": first.headers["etag"]})

    assert (again.status, again.body) == (304, b"")
