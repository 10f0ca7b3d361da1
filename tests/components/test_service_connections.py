"""A kept connection that the server closes just as a request is sent is no failure of the service."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from ha_rag.components import service_connections
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ServiceError
from tests.components.canned import raw_service, reply
from tests.waiting import PATIENCE_S

KEPT = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\ndata: a\n\n"


class Server:
    """The first connection answers one request, and ends the second with `ending`; later ones answer with `later`."""

    def __init__(self, ending, later=KEPT):
        self.ending, self.later = ending, later
        self.connections = self.requests = 0

    async def serve(self, reader, writer):
        self.connections += 1
        is_first = self.connections == 1
        while True:
            await self._request(reader)
            if self.requests > 1 and (is_first or self.later is None):
                return await self.ending(writer)
            writer.write(KEPT if is_first else self.later)
            await writer.drain()

    async def _request(self, reader):
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2)
        self.requests += 1


async def closes(writer):
    writer.close()


async def resets(writer):
    writer.transport.abort()


async def answers_half(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Ty")
    await writer.drain()
    writer.close()


@asynccontextmanager
async def client_of(server):
    async with raw_service(server.serve) as base_url:
        config = ServiceConfig(base_url=base_url, timeout_s=PATIENCE_S)
        client = ServiceClient(config)
        try:
            await client.post(config.url("x"), b"{}")
            yield client, config.url("x")
        finally:
            await client.aclose()


@pytest.mark.parametrize("ending", [closes, resets])
async def test_the_request_is_sent_again_on_a_new_connection(ending):
    server = Server(ending)
    async with client_of(server) as (client, url):
        assert await client.post(url, b"{}") == b"{}"
    assert (server.connections, server.requests) == (2, 3)


@pytest.mark.parametrize("ending", [closes, resets])
async def test_a_stream_is_asked_for_again_too(ending):
    server = Server(ending, later=EVENTS)
    async with client_of(server) as (client, url):
        assert [event.data async for event in client.events(url, b"{}")] == [b"a"]


async def test_a_request_that_was_answered_in_part_is_not_sent_again():
    server = Server(answers_half)
    async with client_of(server) as (client, url):
        with pytest.raises(ServiceError):
            await client.post(url, b"{}")
    assert server.requests == 2


async def test_a_request_is_sent_again_once_only():
    server = Server(closes, later=None)
    async with client_of(server) as (client, url):
        with pytest.raises(ServiceError):
            await client.post(url, b"{}")
    assert (server.connections, server.requests) == (2, 3)


async def test_a_new_connection_that_is_closed_is_a_failure():
    requests = 0

    async def serve(reader, writer):
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1

    async with raw_service(serve) as base_url:
        config = ServiceConfig(base_url=base_url, timeout_s=PATIENCE_S)
        client = ServiceClient(config)
        with pytest.raises(ServiceError):
            await client.post(config.url("x"), b"{}")
        await client.aclose()
    assert requests == 1


async def test_a_service_that_hangs_up_after_a_while_is_not_asked_again(monkeypatch):
    monkeypatch.setattr(service_connections, "JUST_SENT_S", 0.0)
    server = Server(closes)
    async with client_of(server) as (client, url):
        with pytest.raises(ServiceError):
            await client.post(url, b"{}")
    assert server.requests == 2


async def test_many_requests_on_connections_that_were_all_closed_are_sent_again():
    served = asyncio.Event()
    seen: dict[object, int] = {}

    async def serve(reader, writer):
        while True:
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            seen[writer] = seen.get(writer, 0) + 1
            if seen[writer] == 2:
                return
            if len(seen) == 8:
                served.set()
            await served.wait()
            writer.write(KEPT)

    async with raw_service(serve) as base_url:
        config = ServiceConfig(base_url=base_url, timeout_s=PATIENCE_S)
        client = ServiceClient(config)
        for _ in range(2):
            assert await asyncio.gather(*(client.post(config.url("x"), b"{}") for _ in range(8))) == [b"{}"] * 8
        await client.aclose()


async def test_headers_of_many_kilobytes_are_accepted():
    big = reply(b"{}", X_Trace="x" * 30_000, X_More="y" * 30_000)
    async with raw_service(Server(closes, later=big).serve) as base_url:
        config = ServiceConfig(base_url=base_url, timeout_s=PATIENCE_S)
        client = ServiceClient(config)
        assert [await client.post(config.url("x"), b"{}") for _ in range(2)] == [b"{}"] * 2
        await client.aclose()
