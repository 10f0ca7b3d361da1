"""No response causes a call to another host, and endless responses are cut off."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
import zlib
from typing import Any

import pytest

from ha_rag.components.embedders.openai import OpenAIEmbedder
from ha_rag.components.generators.openai import OpenAIGenerator
from ha_rag.components.service_client import ServiceClient
from ha_rag.components.service_config import ServiceConfig
from ha_rag.errors import ComponentError, MalformedReplyError, ServiceError
from tests.components.canned import canned_service, json_reply, raw_service, reply

KEY = "sk-very-secret"
METADATA = "http://169.254.169.254/latest/meta-data/"
MOST = 1_000_000
BUFFERS = 16_000_000
"""What the sockets of both ends and the client's own buffers may hold beside what it is ready to take."""


@pytest.fixture
def contacted(monkeypatch: pytest.MonkeyPatch) -> set[Any]:
    """Every address that anybody in this process connects to, and every name that is looked up."""
    seen: set[Any] = set()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def noted(self: socket.socket, address: Any) -> None:
        seen.add(address)
        connect(self, address)

    def noted_name(host: Any, *rest: Any, **more: Any) -> Any:
        seen.add(host)
        return look_up(host, *rest, **more)

    monkeypatch.setattr(socket.socket, "connect", noted)
    monkeypatch.setattr(socket, "getaddrinfo", noted_name)
    return seen


async def told(base_url: str, *, stream: bool = False, timeout_s: float = 5.0) -> str:
    """How a call ends: "ok", or its error, in which the key must not stand."""
    config = ServiceConfig(base_url=base_url, api_key=KEY, timeout_s=timeout_s, max_reply_bytes=MOST)
    client = ServiceClient(config)
    ended = ""
    try:
        if stream:
            async for _ in client.events(config.url("chat/completions"), b"{}"):
                pass
        else:
            await client.post(config.url("embeddings"), b"{}")
    except ComponentError as error:
        ended = f"{type(error).__name__}: {error} {error!r}"
    finally:
        await client.aclose()
    assert KEY not in ended
    return ended or "ok"


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "stream"])
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_no_redirect_is_followed_wherever_it_leads(contacted, status, stream):
    async with canned_service(json_reply({})) as elsewhere:
        for target in (f"{elsewhere.base_url}/embeddings", METADATA, "//169.254.169.254/", "file:///etc/passwd", "/v2"):
            async with canned_service(reply(b"", status, Location=target)) as service:
                error = await told(service.base_url, stream=stream)
                assert error.startswith(f"ServiceError: HTTP {status[:3]}: a redirect")
                assert len(service.requests) == 1
                assert contacted == {("127.0.0.1", _port(service.base_url))}
                contacted.clear()
        assert elsewhere.requests == []


def _port(base_url: str) -> int:
    return int(base_url.rpartition(":")[2].removesuffix("/v1"))


STATUSES = ["200 OK", "201 Created", "300 Choices", "304 Not Modified", "401 No", "407 No", "426 Upgrade", "503 Busy"]


@pytest.mark.parametrize("status", STATUSES)
async def test_no_response_header_causes_another_request(contacted, status):
    async with canned_service(json_reply({})) as elsewhere:
        url = elsewhere.base_url
        leading = {
            "Location": url, "Content_Location": url, "Link": f"<{url}>; rel=preload", "Refresh": f"0; url={url}",
            "Alt_Svc": f'h2="127.0.0.1:{_port(url)}"', "Retry_After": url, "Set_Cookie": "a=b",
            "WWW_Authenticate": f'Bearer realm="{url}"', "Proxy_Authenticate": "Basic", "Upgrade": "h2c",
        }  # fmt: skip
        async with canned_service(json_reply({}, status, **leading)) as service:
            for stream in (False, True):
                await told(service.base_url, stream=stream)
            assert contacted == {("127.0.0.1", _port(service.base_url))}
            assert len(service.requests) == 2
            assert "cookie" not in service.headers()
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    "variable", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
)
async def test_no_proxy_and_no_netrc_of_the_environment_is_used(contacted, monkeypatch, tmp_path, variable):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login bob password other\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with canned_service(json_reply({})) as service, canned_service(json_reply({})) as proxy:
        monkeypatch.setenv(variable, proxy.base_url)
        assert await told(service.base_url) == "ok"
        assert contacted == {("127.0.0.1", _port(service.base_url))}
        assert service.headers()["authorization"] == f"Bearer {KEY}"


HEAD = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"10000\r\n%s\r\n"
EVENTS = b"text/event-stream"
ENDLESS = {
    "a body": (HEAD % (b"200 OK", b"application/json"), CHUNK % (b" " * 65_536)),
    "an error's body": (HEAD % (b"500 No", b"application/json"), CHUNK % (b" " * 65_536)),
    "events": (HEAD % (b"200 OK", EVENTS), CHUNK % (b"data: x\n\n".ljust(65_536, b"\n"))),
    "comments": (HEAD % (b"200 OK", EVENTS), CHUNK % (b":\n" * 32_768)),
    "one event": (HEAD % (b"200 OK", EVENTS), CHUNK % (b"data: x\n".ljust(65_535, b"y") + b"\n")),
    "one line": (HEAD % (b"200 OK", EVENTS), CHUNK % (b"y" * 65_536)),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"X-More: of this\r\n" * 1000),
    "one header": (b"HTTP/1.1 200 OK\r\nX: ", b"y" * 65_536),
    "a status line": (b"HTTP/1.1 200 ", b"y" * 65_536),
    "trailers": (HEAD % (b"200 OK", b"application/json") + b"0\r\n", b"X-More: of this\r\n" * 1000),
}


@pytest.mark.parametrize("stream", [False, True], ids=["at once", "stream"])
@pytest.mark.parametrize("what", ENDLESS)
async def test_an_endless_response_is_cut_off(what, stream):
    begin, more = ENDLESS[what]
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begin)
        while not writer.is_closing():
            writer.write(more)
            sent += len(more)
            await writer.drain()

    async with raw_service(serve) as base_url:
        error = await told(base_url, stream=stream)
    assert error.startswith(("MalformedReplyError", "ServiceError"))
    assert sent < MOST + BUFFERS


async def test_an_endless_response_without_content_times_out_and_is_not_buffered():
    # The extension of a chunk (RFC 9112, 7.1.1) is passed over, byte by byte.
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD % (b"200 OK", b"application/json") + b"5;")
        while not writer.is_closing():
            writer.write(b"y" * 65_536)
            await writer.drain()

    async with raw_service(serve) as base_url:
        tracemalloc.start()
        try:
            assert (await told(base_url, timeout_s=0.5)).startswith("ServiceTimeoutError")
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < BUFFERS


def bomb(form: str) -> bytes:
    """200 MB of blanks, in 200 kB."""
    packer = zlib.compressobj(9, wbits=31 if form == "gzip" else 15)
    blanks = b" " * 1_000_000
    return b"".join(packer.compress(blanks) for _ in range(200)) + packer.flush()


@pytest.mark.parametrize("form", ["gzip", "deflate"])
async def test_a_decompression_bomb_takes_little_memory(form):
    body = bomb(form)
    for status, kind, stream in (
        ("200 OK", "application/json", False),
        ("500 No", "application/json", False),
        ("200 OK", "text/event-stream", True),
    ):
        async with canned_service(reply(body, status, Content_Encoding=form, Content_Type=kind)) as service:
            tracemalloc.start()
            try:
                error = await told(service.base_url, stream=stream)
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
        assert error.startswith(("MalformedReplyError", "ServiceError"))
        assert peak < 20_000_000


SAYS_THE_KEY = {
    "no JSON": reply(b"Invalid key " + KEY.encode()),
    "no JSON, from the first byte": reply(KEY.encode() * 3),
    "an error": json_reply({"error": {"message": f"Invalid key\x1b[2J {KEY}\r\n"}}, "401 Unauthorized"),
    "an error, far behind": json_reply({"error": {"message": "x" * 195 + KEY}}, "401 Unauthorized"),
    "another type": reply(b"", Content_Type=f"text/{KEY}"),
    "an error in a stream": reply(
        b'data: {"error": {"message": "Invalid key\\n\\u001b[2J ' + KEY.encode() + b'"}}\n\n',
        Content_Type="text/event-stream",
    ),
    "no JSON in a stream": reply(b"data: Invalid " + KEY.encode() + b"\n\n", Content_Type="text/event-stream"),
}


@pytest.mark.parametrize("what", SAYS_THE_KEY)
async def test_an_error_never_repeats_the_key_that_a_service_echoes(what):
    async with canned_service(SAYS_THE_KEY[what]) as service:
        config = ServiceConfig(base_url=service.base_url, api_key=KEY)
        generator = OpenAIGenerator(config, model="m")
        embedder = OpenAIEmbedder(config, model="m", dimension=2)
        errors = []
        for call in (embedder.embed("a"), generator.generate("a", []), _whole(generator)):
            with pytest.raises((ServiceError, MalformedReplyError)) as raised:
                await call
            errors.append(str(raised.value))
        await generator.aclose()
        await embedder.aclose()
    said = " ".join(errors)
    assert said.isprintable()
    assert KEY not in said
    assert KEY[:6] not in said


async def _whole(generator: OpenAIGenerator) -> str:
    return "".join([str(piece) async for piece in generator.stream("a", [])])
