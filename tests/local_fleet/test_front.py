"""The one port in front of the replicas."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ha_rag.cancellation import end
from ha_rag.http.body_limit import MAX_BODY_BYTES, QUESTION_BODY_BYTES
from ha_rag.http.connection import ConnectionLimits
from ha_rag.local_fleet.front import Front, FrontConfig, named_replica
from ha_rag.local_fleet.upstreams import Upstream, check
from tests.local_fleet.replica_stand_in import StandIn, hangs_up, serving, stays_silent
from tests.ports import free_port
from tests.waiting import PATIENCE_S, until

JSON = {"Content-Type": "application/json"}
QUESTION = b'{"question": "How does a circuit recover?"}'


PATIENT = FrontConfig(patience_s=PATIENCE_S, connect_s=PATIENCE_S)
HASTY = FrontConfig(patience_s=0.05, connect_s=PATIENCE_S)
"""Asks a second replica soon, for tests in which the first one is silent."""


@asynccontextmanager
async def front_of(
    *stand_ins: StandIn, extra: tuple[Upstream, ...] = (), config: FrontConfig = PATIENT
) -> AsyncIterator[TestServer]:
    async with AsyncExitStack() as stack:
        for stand_in in stand_ins:
            await stand_in.server.start_server()
            stack.push_async_callback(stand_in.server.close)
        server = TestServer(Front([*extra, *(s.replica for s in stand_ins)], config).app())
        await server.start_server(auto_decompress=False, shutdown_timeout=2 * PATIENCE_S)
        stack.push_async_callback(server.close)
        yield server


@pytest.fixture
async def client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S)) as session:
        yield session


@pytest.fixture
def one() -> StandIn:
    return StandIn("rag-1")


@pytest.fixture
def two() -> StandIn:
    return StandIn("rag-2")


async def ask(client: aiohttp.ClientSession, front: TestServer, path: str = "/v1/query") -> aiohttp.ClientResponse:
    async with client.post(front.make_url(path), data=QUESTION, headers=JSON) as reply:
        await reply.read()
        return reply


async def test_requests_go_round_and_each_reply_names_its_replica(client, one: StandIn, two: StandIn) -> None:
    async with front_of(one, two) as front:
        replies = [await ask(client, front) for _ in range(4)]
    assert sorted(reply.headers["X-HA-RAG-Replica"] for reply in replies) == ["rag-1", "rag-1", "rag-2", "rag-2"]
    assert all(reply.status == 200 for reply in replies)


async def test_method_path_query_body_and_status_go_through_untouched(client, one: StandIn) -> None:
    async def echo(request: web.Request) -> web.StreamResponse:
        text = f"{request.method} {request.raw_path} {(await request.read()).decode()}"
        return web.Response(status=418, text=text, headers={"X-Own": "kept"})

    one.answer = echo
    async with front_of(one) as front:
        url = front.make_url("/v1/a%2Fb?x=1&x=%20").with_path("/v1/a%2Fb", encoded=True).with_query("x=1&x=%20")
        async with client.put(url, data=b"body") as reply:
            assert (reply.status, reply.headers["X-Own"]) == (418, "kept")
            assert (await reply.text()).startswith("PUT /v1/a%2Fb?x=1&x=")


async def test_a_replica_that_refuses_connections_is_passed_over(client, one: StandIn) -> None:
    gone = Upstream(name="gone", url=f"http://127.0.0.1:{free_port()}", ready=True)
    async with front_of(one, extra=(gone,)) as front:
        replies = [await ask(client, front) for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 200]


async def test_a_connection_that_is_not_made_in_time_is_tried_once_more(client, one: StandIn, monkeypatch) -> None:
    """As on a busy machine, where no other replica is there to take over."""
    loop, slow = asyncio.get_running_loop(), ["the check of its readiness", "the request"]
    connect = loop.sock_connect

    async def late(sock: socket.socket, address: tuple[str, int]) -> None:
        if slow and address[1] == one.server.port:
            slow.pop()
            raise TimeoutError
        await connect(sock, address)

    monkeypatch.setattr(loop, "sock_connect", late)
    async with front_of(one) as front:
        reply = await ask(client, front)
    assert reply.status == 200
    assert slow == []


async def test_an_empty_reply_is_asked_again_of_another_replica(client, one: StandIn, two: StandIn) -> None:
    one.answer = hangs_up
    async with front_of(one, two) as front:
        replies = [await ask(client, front) for _ in range(3)]
    assert {reply.headers["X-HA-RAG-Replica"] for reply in replies} == {"rag-2"}


async def test_a_reply_that_breaks_off_after_its_headers_is_asked_again_of_another_replica(
    client, one: StandIn, two: StandIn
) -> None:
    """Where a replica is killed between the two: the client has seen nothing of it yet."""

    async def breaks_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    one.answer = breaks_off
    async with front_of(one, two) as front:
        replies = [await ask(client, front) for _ in range(3)]
    assert {reply.headers["X-HA-RAG-Replica"] for reply in replies} == {"rag-2"}
    assert one.seen


async def test_feedback_is_not_given_twice_where_one_replica_may_have_taken_it(
    client, one: StandIn, two: StandIn
) -> None:
    one.answer = two.answer = hangs_up
    async with front_of(one, two) as front:
        reply = await ask(client, front, "/v1/feedback")
        assert reply.status == 503
    assert len(one.seen) + len(two.seen) == 1


async def test_a_silent_replica_loses_to_a_second_one_and_is_called_off(client, one: StandIn, two: StandIn) -> None:
    one.answer = stays_silent
    async with front_of(one, two, config=HASTY) as front:
        replies = [await ask(client, front) for _ in range(2)]
        await one.called_off.wait()
    assert {reply.headers["X-HA-RAG-Replica"] for reply in replies} == {"rag-2"}


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/documents"])
async def test_a_body_larger_than_a_question_is_not_given_to_a_second_replica_for_silence(
    client, one: StandIn, two: StandIn, path: str
) -> None:
    """The second request is as long as a question may be: once both replicas have it, the silence has lasted."""
    one.answer = two.answer = stays_silent
    async with front_of(one, two, config=HASTY) as front:
        url = front.make_url(path)
        large = asyncio.create_task(client.post(url, data=b"x" * (QUESTION_BODY_BYTES + 1)))
        await until(lambda: len(one.seen) + len(two.seen) == 1)
        small = asyncio.create_task(client.post(url, data=b"x" * QUESTION_BODY_BYTES))
        await until(lambda: len(one.seen) + len(two.seen) >= 3)
        for asking in (large, small):
            await end(asking)
    lengths = [int(request.headers["Content-Length"]) for request in one.seen + two.seen]
    assert sorted(lengths) == [QUESTION_BODY_BYTES, QUESTION_BODY_BYTES, QUESTION_BODY_BYTES + 1]


async def test_a_client_that_leaves_ends_the_replicas_work(client, one: StandIn) -> None:
    one.answer = stays_silent
    async with front_of(one) as front:
        asking = asyncio.create_task(client.post(front.make_url("/v1/query"), data=QUESTION))
        await one.asked.wait()
        await end(asking)
        await one.called_off.wait()


async def test_a_stream_is_passed_on_piece_by_piece(client, one: StandIn) -> None:
    next_piece = asyncio.Event()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: first\n\n")
        await next_piece.wait()
        await response.write(b"data: second\n\n")
        return response

    one.answer = stream
    async with front_of(one) as front, client.get(front.make_url("/v1/events")) as reply:
        assert await reply.content.readany() == b"data: first\n\n"
        next_piece.set()
        assert await reply.content.readany() == b"data: second\n\n"
        assert reply.content_type == "text/event-stream"


async def test_an_endless_stream_does_not_hold_up_the_end(client, one: StandIn) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": here\n\n")
        return await stays_silent(request)

    one.answer = endless
    async with front_of(one) as front:
        reply = await client.get(front.make_url("/v1/events"))
        assert await reply.content.readany() == b": here\n\n"
        async with asyncio.timeout(PATIENCE_S):
            await front.close()
        reply.close()


async def test_half_an_answer_never_looks_whole(client, one: StandIn) -> None:
    async def breaks_off(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"half")
        return await hangs_up(request)

    one.answer = breaks_off
    async with front_of(one) as front:
        with pytest.raises(aiohttp.ClientError):
            await ask(client, front)
    assert len(one.seen) == 1


async def test_without_a_ready_replica_the_client_is_asked_to_come_back(client, one: StandIn) -> None:
    gone = Upstream(name="gone", url=f"http://127.0.0.1:{free_port()}", ready=False)
    async with front_of(extra=(gone,)) as front, client.post(front.make_url("/v1/query"), data=QUESTION) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        assert (await reply.json())["error"]["type"] == "no_replica"


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "in chunks"])
async def test_a_body_over_the_limit_is_refused_by_the_front_itself(client, one: StandIn, announced: bool) -> None:
    async def in_chunks() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * 1_000_000

    body = io.BytesIO(b"x" * (MAX_BODY_BYTES + 1)) if announced else in_chunks()
    async with front_of(one) as front, client.post(front.make_url("/v1/documents"), data=body) as reply:
        assert reply.status == 413
        assert (await reply.json())["error"]["type"] == "too_large"
    assert one.seen == []


async def test_a_client_that_does_not_send_its_body_is_given_up(client, one: StandIn) -> None:
    async def begins_and_stops() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    body, config = begins_and_stops(), FrontConfig(body_s=0.1)
    async with (
        front_of(one, config=config) as front,
        client.post(front.make_url("/v1/query"), data=body, headers=JSON) as reply,
    ):
        assert (reply.status, (await reply.json())["error"]["type"]) == (408, "request_timeout")
        assert reply.headers["Connection"] == "close"
    assert one.seen == []


async def test_a_large_body_arrives_whole_at_the_second_replica_too(client, one: StandIn, two: StandIn) -> None:
    async def measures(request: web.Request) -> web.StreamResponse:
        return web.Response(text=str(len(await request.read())))

    one.answer, two.answer = hangs_up, measures
    async with front_of(one, two) as front:
        for _ in range(2):
            body = io.BytesIO(b"x" * 5_000_000)
            async with client.post(front.make_url("/v1/documents"), data=body) as reply:
                assert await reply.text() == "5000000"


async def test_the_replica_sees_the_clients_host_and_origin_and_whom_it_came_from(client, one: StandIn) -> None:
    named = {"Host": "evil.example:8000", "Origin": "http://evil.example:8000", "X-Forwarded-For": "203.0.113.9"}
    async with front_of(one) as front, client.post(front.make_url("/v1/query"), data=QUESTION, headers=named):
        pass
    headers = one.seen[0].headers
    assert (headers["Host"], headers["Origin"]) == ("evil.example:8000", "http://evil.example:8000")
    assert headers["X-Forwarded-For"] == "203.0.113.9, 127.0.0.1"


async def test_headers_of_one_connection_stay_on_it(client, one: StandIn) -> None:
    sent = {"Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "X-Kept": "1"}
    async with front_of(one) as front, client.get(front.make_url("/v1/circuits"), headers=sent):
        pass
    seen = one.seen[0].headers
    assert "X-Hop" not in seen
    assert "TE" not in seen
    assert seen["X-Kept"] == "1"


@asynccontextmanager
async def listening(config: FrontConfig) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A front that serves as its process does, without replicas, and a connection to it."""
    async with serving(config) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield reader, writer
        finally:
            writer.close()


@pytest.mark.parametrize("broken", [b"Authorization: Bearer SECRETTOKEN\x01", b"Authorization : Bearer SECRETTOKEN"])
async def test_a_head_that_cannot_be_read_puts_no_token_into_the_log(broken: bytes, caplog) -> None:
    async with listening(FrontConfig()) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n" + broken + b"\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 400")
    assert "Error handling request" in caplog.text
    assert "SECRET" not in caplog.text


async def test_who_has_asked_once_and_sends_the_next_head_letter_by_letter_is_hung_up_on() -> None:
    async with (
        asyncio.timeout(PATIENCE_S),
        listening(FrontConfig(limits=ConnectionLimits(idle_s=0.2))) as (reader, writer),
    ):
        writer.write(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 503 " in await reader.readline()
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            writer.write(b"G")
            await asyncio.wait({ended}, timeout=0.01)


async def test_a_compressed_reply_is_passed_on_as_it_is(client, one: StandIn) -> None:
    async def compressed(_: web.Request) -> web.StreamResponse:
        response = web.Response(text="a" * 10_000)
        response.enable_compression(web.ContentCoding.gzip)
        return response

    one.answer = compressed
    async with front_of(one) as front, client.get(front.make_url("/docs")) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        assert await reply.text() == "a" * 10_000


async def test_head_and_empty_replies_have_no_body(client, one: StandIn) -> None:
    async with front_of(one) as front, client.head(front.make_url("/health")) as reply:
        assert (reply.status, await reply.read()) == (200, b"")


async def test_a_replica_that_says_it_is_not_ready_is_left_alone_at_once(client, one: StandIn) -> None:
    await one.server.start_server()
    replica, readiness = one.replica, []
    for one.ready in (False, True):
        await check(replica, client)
        readiness.append(replica.ready)
    await one.server.close()
    await check(replica, client)
    assert [*readiness, replica.ready] == [False, True, False]


def test_a_replica_is_named_on_the_command_line() -> None:
    replica = named_replica("rag-1=http://127.0.0.1:8001/")
    assert (replica.name, replica.url) == ("rag-1", "http://127.0.0.1:8001")
