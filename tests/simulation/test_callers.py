"""Pages of other sites cannot call the simulated provider through a browser on this machine."""

from __future__ import annotations

import json

import aiohttp
import pytest
from aiohttp import web

from ha_rag.simulation import provider as provider_module
from ha_rag.simulation.provider import SimulatedProvider, running_provider

EMBED = ("POST", "/v1/embeddings", {"model": "m", "input": "bees"})
BREAK = ("PUT", "/faults/chat", {"mode": "error"})
READ = ("GET", "/counts", None)


async def status(url: str, call: tuple[str, str, object], headers: dict[str, str]) -> int:
    method, path, body = call
    data = None if body is None else json.dumps(body)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url + path, data=data, headers=headers) as reply,
    ):
        if reply.status >= 400:
            assert reply.content_type == "application/json"
            assert (await reply.json())["error"]["message"]
        return reply.status


ACCEPTED = (
    "127.0.0.1:9100",
    "localhost:9100",
    "provider:9100",
    "my_provider",
    "[::1]:9100",
    "10.0.0.7",
    "Named.example.",
)
FOREIGN = ("evil.example", "evil.example:9100", "127.0.0.1.evil.example", "a b", "named.example.evil.example", "")


@pytest.mark.parametrize("call", [EMBED, BREAK, READ], ids=["embed", "break", "read"])
async def test_only_names_that_no_site_can_have_are_accepted(call: tuple[str, str, object]):
    async with running_provider(provider=SimulatedProvider(hosts=["named.example."])) as running:
        for host in ACCEPTED:
            assert await status(running.url, call, {"Host": host}) == 200, host
        for host in FOREIGN:
            assert await status(running.url, call, {"Host": host}) == 403, host


@pytest.mark.parametrize("call", [EMBED, BREAK, READ], ids=["embed", "break", "read"])
@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://localhost:9101"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Origin": "http://localhost:9100"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({}, True),
    ],
)
async def test_a_page_of_another_site_is_refused(
    call: tuple[str, str, object], headers: dict[str, str], accepted: bool
):
    async with running_provider() as running:
        assert await status(running.url, call, {"Host": "localhost:9100", **headers}) == (200 if accepted else 403)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_every_refusal_is_json(method: str):
    async with running_provider() as running:
        assert await status(running.url, (method, "/nothing", None), {}) == 404


async def test_a_body_that_is_too_large_is_refused_in_json(monkeypatch):
    monkeypatch.setattr(provider_module, "LARGEST_BODY", 100)
    async with running_provider() as running:
        assert await status(running.url, ("POST", "/v1/embeddings", ["x" * 200]), {}) == 413


async def test_a_fault_of_its_own_is_json_and_logged(monkeypatch, caplog):
    async def fails(*_: object) -> web.StreamResponse:
        raise RuntimeError("inside")

    monkeypatch.setattr("ha_rag.simulation.embeddings.EmbeddingsEndpoint.reply", fails)
    async with running_provider() as running:
        assert await status(running.url, EMBED, {}) == 500
    assert "inside" in caplog.text
