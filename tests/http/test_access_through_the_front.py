"""Clients behind the front of `ha-rag up` are judged by their own address, although the front is on this machine."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from ha_rag.http.server import DrainingServer, listening_socket
from ha_rag.local_fleet.front import Front, FrontConfig
from ha_rag.local_fleet.upstreams import Upstream
from tests.http.app_client import StubReplica

OVERRIDE = {"mode": "open", "reason": "maintenance"}
PATH = "/v1/circuits/embedder.primary/override"


@dataclass
class FrontedReplica:
    """A replica that trusts this machine, and the front before it."""

    replica: StubReplica
    front: TestServer
    client: aiohttp.ClientSession

    async def override(self, host: str = "127.0.0.1", headers: Mapping[str, str] = {}) -> tuple[int, str]:
        """Status and body of an override requested at `host`."""
        url = f"http://{host}:{self.front.port}{PATH}"
        async with self.client.put(url, json=OVERRIDE, headers=headers) as reply:
            return reply.status, await reply.text()

    async def raw(self, request: bytes) -> bytes:
        """The first line of the reply to raw bytes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.front.port)
        writer.write(request)
        line = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return line

    @property
    def is_overridden(self) -> bool:
        return self.replica.circuits.reports["embedder.primary"].override is not None


@asynccontextmanager
async def fronted_replica(as_if_from: str | None = None) -> AsyncIterator[FrontedReplica]:
    @web.middleware
    async def comes_from(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await handler(request if as_if_from is None else request.clone(remote=as_if_from))

    async with AsyncExitStack() as stack:
        replica = StubReplica()
        listening = stack.enter_context(listening_socket("127.0.0.1", 0))
        server = DrainingServer(
            replica.app, host="127.0.0.1", port=0, finish_s=1.0, notice_s=0.0, on_draining=lambda: None
        )
        running = asyncio.create_task(server.serve([listening]))
        stack.push_async_callback(asyncio.wait_for, running, 10)
        stack.callback(server.drain)
        upstream = Upstream(name="rag-1", url=f"http://127.0.0.1:{listening.getsockname()[1]}", ready=True)
        # Client, front and replica share one event loop: while it stands still, no connection is made.
        app = Front([upstream], FrontConfig(connect_s=60.0)).app()
        app.middlewares.append(comes_from)
        front = TestServer(app, host="0.0.0.0")
        await front.start_server(auto_decompress=False)
        stack.push_async_callback(front.close)
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield FrontedReplica(replica, front, client)


@pytest.fixture
async def local() -> AsyncIterator[FrontedReplica]:
    async with fronted_replica() as made:
        yield made


def own_address() -> str:
    """An address of this machine that is not loopback, so that it looks remote; "" if there is none."""
    every = [one for addresses in psutil.net_if_addrs().values() for one in addresses]
    return next((one.address for one in every if one.family == socket.AF_INET and one.address[:4] != "127."), "")


async def test_a_client_on_this_machine_can_override_through_the_front(local: FrontedReplica):
    assert (await local.override())[0] == 200
    assert local.is_overridden


@pytest.mark.skipif(not own_address(), reason="this machine has no address but loopback")
@pytest.mark.parametrize("headers", [{}, {"Host": "127.0.0.1"}, {"Host": "localhost", "X-Forwarded-For": "127.0.0.1"}])
async def test_a_remote_client_is_refused(local: FrontedReplica, headers):
    status, body = await local.override(own_address(), headers)

    assert status == 403
    assert "HA_RAG_ADMIN_TOKEN" in body
    assert not local.is_overridden


@pytest.mark.parametrize(
    "address", ["203.0.113.7", "2001:db8::7", "fe80::1%eth0", "::ffff:203.0.113.7", "10.0.0.1", ""]
)
async def test_no_header_makes_a_remote_client_local(address: str):
    claims = [
        {},
        {"X-Forwarded-For": "127.0.0.1"},
        {"X-Forwarded-For": "127.0.0.1, ::1", "X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Connection": "X-Forwarded-For"},
        {"Connection": "close, x-forwarded-for", "X-Forwarded-For": "127.0.0.1"},
        {"x-forwarded-for": "127.0.0.1\t"},
    ]
    async with fronted_replica(as_if_from=address) as remote:
        for headers in claims:
            status, body = await remote.override(headers={"Host": "127.0.0.1:8000", **headers})
            assert status == 403, f"{headers}: {body}"
        assert not remote.is_overridden


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "203.0.113.9", "Connection": "close, X-Forwarded-For"},
        {"X-Real-IP": "203.0.113.9", "Connection": "x-real-ip"},
        {"Forwarded": "for=203.0.113.9", "Via": "1.1 proxy", "Connection": "Forwarded, Via"},
        {"Host": "attacker.example", "Connection": "Host"},
        {"Origin": "http://attacker.example", "Sec-Fetch-Site": "cross-site", "Connection": "Origin, Sec-Fetch-Site"},
    ],
)
async def test_a_connection_header_cannot_remove_the_headers_that_are_checked(
    local: FrontedReplica, headers: dict[str, str]
):
    assert (await local.override(headers=headers))[0] == 403
    assert not local.is_overridden


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "attacker.example"},
        {"Host": "attacker.example:8000", "Origin": "http://attacker.example:8000"},
        {"Origin": "http://attacker.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_other_sites_and_other_host_names_are_refused_through_the_front(local: FrontedReplica, headers):
    status, body = await local.override(headers=headers)

    assert status == 403
    assert "HA_RAG_ADMIN_TOKEN" in body
    assert not local.is_overridden


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_form_changes_no_document_through_the_front(local: FrontedReplica, kind: str):
    url = f"http://127.0.0.1:{local.front.port}/v1/documents"
    async with local.client.post(url, data=b'{"id": "a", "text": "b"}', headers={"Content-Type": kind}) as reply:
        assert reply.status == 415
    assert local.replica.documents.texts == {}


UPLOAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="b.md"\r\n\r\ntext\r\n--x--\r\n'
FOREIGN = {"Origin": "http://attacker.example", "Sec-Fetch-Site": "cross-site"}


@pytest.mark.parametrize(
    ("method", "path", "body", "kind"),
    [("POST", "/v1/documents", UPLOAD, "multipart/form-data; boundary=x"), ("DELETE", "/v1/documents/a", None, None)],
)
async def test_documents_are_changed_through_the_front_but_not_by_a_foreign_page(
    local: FrontedReplica, method: str, path: str, body: bytes | None, kind: str | None
):
    local.replica.documents.texts["a"] = "before"
    url, headers = f"http://127.0.0.1:{local.front.port}{path}", {"Content-Type": kind} if kind else {}

    async with local.client.request(method, url, data=body, headers={**headers, **FOREIGN}) as reply:
        assert reply.status == 403, await reply.text()
    assert (local.replica.documents.texts, local.replica.documents.files) == ({"a": "before"}, [])
    async with local.client.request(method, url, data=body, headers=headers) as reply:
        assert reply.status == 200, await reply.text()
    assert local.replica.documents.texts != {"a": "before"}


IDS = {
    b"a%2Fb": "a/b",
    b"a/b": "a/b",
    b"100%25": "100%",
    b"%252F": "%2F",
    b"%2e%2e%2Fetc": "../etc",
    b"%2E": ".",
    b"gr%C3%BC%C3%9Fe%20": "grüße ",
    b"a%3Fb%23c": "a?b#c",
    b"a+b": "a+b",
    b"x" * 8000: "x" * 8000,
}


@pytest.mark.parametrize(("sent", "name"), IDS.items(), ids=[sent[:20].decode() for sent in IDS])
async def test_an_id_reaches_the_replica_as_it_was_encoded(local: FrontedReplica, sent: bytes, name: str):
    local.replica.documents.texts |= {name: "before", "a": "other", "etc": "other"}
    head = b" /v1/documents/" + sent + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert b" 200 " in await local.raw(b"GET" + head)
    assert b" 200 " in await local.raw(b"DELETE" + head)
    assert local.replica.documents.texts == {"a": "other", "etc": "other"}


@pytest.mark.parametrize("sent", [b"a%0A", b"a%0Ab", b"a%0D", b"%20a", b"a%00", b"A", b"%2561"])
async def test_no_other_spelling_of_an_id_reaches_its_document(local: FrontedReplica, sent: bytes):
    local.replica.documents.texts["a"] = "before"
    head = b" /v1/documents/" + sent + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

    assert b" 404 " in await local.raw(b"GET" + head)
    assert b" 404 " in await local.raw(b"DELETE" + head)
    assert local.replica.documents.texts == {"a": "before"}


TARGETS = [
    b"@elsewhere.invalid/",
    b"http://elsewhere.invalid/health",
    b"//elsewhere.invalid/health",
    b"http:@elsewhere.invalid",
    b":80@elsewhere.invalid/",
    b"\\\\elsewhere.invalid",
    b"elsewhere.invalid:80",
    b"http://[::1",
    b"*",
    b"/%2e%2e//x",
]


@pytest.mark.parametrize("method", [b"GET", b"CONNECT", b"OPTIONS"])
async def test_no_request_target_makes_the_front_connect_elsewhere(local: FrontedReplica, method: bytes, monkeypatch):
    looked_up: list[object] = []
    resolve = socket.getaddrinfo

    def noted(host: str, *more: Any, **named: Any) -> Any:
        looked_up.append(host)
        return resolve(host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", noted)

    for target in TARGETS:
        line = await local.raw(method + b" " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert line.split(b" ")[1] in (b"200", b"400", b"404", b"405", b"503"), target
    assert "elsewhere.invalid" not in looked_up
