"""Whatever a service does, its client raises a ComponentError; only a cancellation is passed on."""

import asyncio
import gzip

import aiohttp
import pytest

from ha_rag.components.carried import carrying
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import (
    ComponentError,
    InvalidRequestError,
    MalformedReplyError,
    ServiceError,
    ServiceTimeoutError,
    ThrottledError,
)
from tests.components.canned import canned_service, events, json_reply, raw_service, reply
from tests.ports import free_port

KEY = "sk-very-secret"


async def post(base_url, **settings):
    config = ServiceConfig(base_url=base_url, **{"api_key": KEY, "timeout_s": 5.0, **settings})
    client = ServiceClient(config)
    try:
        return await client.post(config.url("embeddings"), b'{"input": "a"}')
    finally:
        await client.aclose()


async def failure_of(base_url, **settings):
    with pytest.raises(ComponentError) as raised:
        await post(base_url, **settings)
    return raised.value


async def test_the_body_of_a_successful_response_is_returned():
    async with canned_service(json_reply({"data": []})) as service:
        assert await post(service.base_url) == b'{"data":[]}'
        assert service.requests[0].startswith(b"POST /v1/embeddings HTTP/1.1")
        assert service.headers()["authorization"] == f"Bearer {KEY}"
        assert service.headers()["content-type"] == "application/json"


async def test_without_a_key_no_authorization_is_sent():
    async with canned_service(json_reply({})) as service:
        await post(service.base_url, api_key=None)
        assert "authorization" not in service.headers()


async def test_configured_and_propagated_headers_are_sent():
    async with canned_service(json_reply({})) as service:
        with carrying({"traceparent": "00-ab-cd-01"}):
            await post(service.base_url, headers={"X-HA-RAG-Replica": "a"})
        assert service.headers()["traceparent"] == "00-ab-cd-01"
        assert service.headers()["x-ha-rag-replica"] == "a"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", ServiceError),
        ("403 Forbidden", ServiceError),
        ("404 Not Found", ServiceError),
        ("429 Too Many Requests", ThrottledError),
        ("500 Internal Server Error", ServiceError),
        ("503 Service Unavailable", ServiceError),
        ("400 Bad Request", InvalidRequestError),
        ("413 Payload Too Large", InvalidRequestError),
        ("422 Unprocessable Entity", InvalidRequestError),
    ],
)
async def test_each_status_has_its_error(status, kind):
    async with canned_service(json_reply({"error": {"message": f"no, {KEY}"}}, status)) as service:
        error = await failure_of(service.base_url)
    assert type(error) is kind
    assert error.status == int(status[:3])
    assert KEY not in f"{error!r} {error}"


async def test_a_retry_after_is_reported():
    async with canned_service(json_reply({}, "429 Too Many Requests", Retry_After="7")) as service:
        error = await failure_of(service.base_url)
    assert isinstance(error, ThrottledError)
    assert error.retry_after_s == 7.0


async def test_a_redirect_is_not_followed():
    async with canned_service(json_reply({})) as elsewhere:
        redirect = reply(b"", "307 Temporary Redirect", Location=f"{elsewhere.base_url}/embeddings")
        async with canned_service(redirect) as service:
            error = await failure_of(service.base_url)
        assert (type(error), error.status) == (ServiceError, 307)
        assert elsewhere.requests == []


async def test_a_proxy_from_the_environment_is_not_used(monkeypatch):
    async with canned_service(json_reply({})) as service, canned_service(json_reply({})) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url)
        monkeypatch.delenv("no_proxy", raising=False)
        await post(service.base_url)
        assert (len(service.requests), len(proxy.requests)) == (1, 0)


async def test_a_refused_connection_is_a_service_error():
    error = await failure_of(f"http://127.0.0.1:{free_port()}/v1")
    assert type(error) is ServiceError
    assert error.status is None
    assert "cannot connect" in str(error)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nContent-Type: appl",
        b"SSH-2.0-OpenSSH_9.6\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nno chunk\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
        b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\nhalf",
        b"HTTP/1.1 302 Found\r\nLocation: http://[\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_no_foreign_exception_escapes_whatever_the_service_writes(answer):
    async with canned_service(answer) as service:
        error = await failure_of(service.base_url)
    assert isinstance(error, ServiceError)
    assert KEY not in f"{error!r} {error} {error.__cause__!r}"


async def test_a_service_that_does_not_answer_has_timed_out():
    async with canned_service(None) as service:
        error = await failure_of(service.base_url, timeout_s=0.05)
    assert type(error) is ServiceTimeoutError


async def test_a_response_that_stops_halfway_has_timed_out():
    async def stall(reader, writer):
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        await reader.read()

    async with raw_service(stall) as base_url:
        error = await failure_of(base_url, timeout_s=0.05)
    assert type(error) is ServiceTimeoutError


async def test_a_cancellation_is_not_translated():
    async with canned_service(None) as service:
        asked = asyncio.create_task(post(service.base_url))
        while not service.requests:
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked


async def test_the_callers_own_timeout_is_not_translated():
    async with canned_service(None) as service:
        with pytest.raises(TimeoutError) as raised:
            async with asyncio.timeout(0.05):
                await post(service.base_url)
    assert not isinstance(raised.value, ComponentError)


async def test_a_response_whose_declared_length_is_too_long_is_not_read():
    async with canned_service(reply(b"x" * 5000)) as service:
        assert type(await failure_of(service.base_url, max_reply_bytes=4000)) is MalformedReplyError


async def test_a_response_that_turns_out_too_long_is_cut_off():
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + (b"3e8\r\n" + b"x" * 1000 + b"\r\n") * 9
    async with canned_service(chunked) as service:
        assert type(await failure_of(service.base_url, max_reply_bytes=4000)) is MalformedReplyError


async def test_a_response_that_is_too_long_when_decompressed_is_cut_off():
    bomb = reply(gzip.compress(b"x" * 10_000_000), Content_Encoding="gzip")
    async with canned_service(bomb) as service:
        assert type(await failure_of(service.base_url, max_reply_bytes=100_000)) is MalformedReplyError


async def test_connections_are_reused():
    connections = 0

    async def serve(reader, writer):
        nonlocal connections
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(2)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with raw_service(serve) as base_url:
        config = ServiceConfig(base_url=base_url)
        client = ServiceClient(config)
        for _ in range(5):
            await client.post(config.url("x"), b"{}")
        await client.aclose()
    assert connections == 1


def test_a_client_works_in_consecutive_event_loops():
    client: list[ServiceClient] = []

    async def ask_once():
        async with canned_service(json_reply({"n": 1})) as service:
            config = ServiceConfig(base_url=service.base_url)
            client[:] = client or [ServiceClient(config)]
            return await client[0].post(config.url("x"), b"{}")

    assert asyncio.run(ask_once()) == b'{"n":1}'
    assert asyncio.run(ask_once()) == b'{"n":1}'
    asyncio.run(client[0].aclose())


async def test_closing_twice_is_allowed_and_a_later_call_reconnects():
    async with canned_service(json_reply({})) as service:
        config = ServiceConfig(base_url=service.base_url)
        client = ServiceClient(config)
        await client.post(config.url("x"), b"{}")
        await client.aclose()
        await client.aclose()
        assert await client.post(config.url("x"), b"{}") == b"{}"
        await client.aclose()


async def collected(base_url, **settings):
    config = ServiceConfig(base_url=base_url, **{"timeout_s": 5.0, **settings})
    client = ServiceClient(config)
    try:
        return [event.data async for event in client.events(config.url("chat/completions"), b"{}")]
    finally:
        await client.aclose()


async def test_events_are_yielded_one_by_one():
    async with canned_service(events("a", "b", "[DONE]")) as service:
        assert await collected(service.base_url) == [b"a", b"b", b"[DONE]"]


async def test_a_stream_that_never_ends_is_refused():
    async with canned_service(events(*["again"] * 1000)) as service:
        with pytest.raises(MalformedReplyError, match="max_reply_bytes"):
            await collected(service.base_url, max_reply_bytes=5000)


async def test_a_response_that_is_not_a_stream_is_malformed():
    async with canned_service(reply(b"<html>", Content_Type="text/html")) as service:
        with pytest.raises(MalformedReplyError, match="text/html"):
            await collected(service.base_url)


async def test_a_stream_that_is_cut_off_is_malformed():
    broken = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\ndata: a\n\n"
    async with canned_service(broken) as service:
        with pytest.raises(MalformedReplyError, match="was cut off"):
            await collected(service.base_url)


async def test_an_error_response_to_a_stream_request_is_translated():
    async with canned_service(json_reply({}, "503 Service Unavailable", Retry_After="3")) as service:
        with pytest.raises(ThrottledError):
            await collected(service.base_url)


async def test_a_stream_that_stops_sending_has_timed_out():
    async with canned_service(None) as service:
        with pytest.raises(ServiceTimeoutError):
            await collected(service.base_url, timeout_s=0.05)


@pytest.mark.parametrize(
    "foreign",
    [
        aiohttp.ClientError("x"),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError("x"),
        aiohttp.InvalidURL("x"),
        aiohttp.TooManyRedirects(None, ()),  # type: ignore[arg-type]  # only its kind matters here
        TimeoutError(),
        ConnectionResetError(),
        OSError("x"),
        ValueError("Chunk too big"),
        RuntimeError("Session is closed"),
        asyncio.IncompleteReadError(b"", 1),
    ],
)
async def test_every_foreign_exception_is_translated(foreign, monkeypatch):
    async def fail(*_args, **_kwargs):
        raise foreign

    monkeypatch.setattr(aiohttp.ClientSession, "post", fail)
    error = await failure_of("http://localhost/v1")
    assert isinstance(error, ServiceTimeoutError if isinstance(foreign, TimeoutError) else ServiceError)
