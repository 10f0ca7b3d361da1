"""Clients that close the connection before their answer: their place is free and their work ends, at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from ha_rag.http.client_disconnect import CancelOnDisconnect
from ha_rag.http.connection import ConnectionLimits
from ha_rag.http.service import RequestLimits
from ha_rag.index.single_document import AddedDocument
from tests.http.app_client import AppClient, StubDocuments, StubReplica
from tests.http.sockets import Server, close, serving

QUESTION = {"question": "How does a circuit recover?"}
CHAT = {"messages": [{"role": "user", "content": "How does a circuit recover?"}]}
PATIENCE_S = 5.0


def post(path: str, body: object, padding: int = 0) -> bytes:
    content = json.dumps(body).encode() + b" " * padding
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content


@dataclass
class Work:
    """What a question does here: it never ends by itself. Semaphores count how often it began and was cancelled."""

    begun: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    cancelled: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    number: int = 0

    async def __call__(self) -> None:
        self.number += 1
        self.begun.release()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled.release()
            raise


async def times(semaphore: asyncio.Semaphore, number: int) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for _ in range(number):
            await semaphore.acquire()


@pytest.fixture
def work() -> Work:
    return Work()


@pytest.fixture
def busy(work: Work) -> StubReplica:
    """A replica for four questions at a time, none of which ends."""
    replica = StubReplica(options={"limits": RequestLimits(max_concurrent=4)})
    replica.rag.action = work
    return replica


@pytest.fixture
async def server(busy: StubReplica) -> AsyncIterator[Server]:
    async with serving(ConnectionLimits(), busy) as running:
        yield running


async def leave(server: Server, work: Work, request: bytes, number: int = 4) -> None:
    """So many clients send `request` and close the connection once their questions are being worked on."""
    opened = [await server.open() for _ in range(number)]
    for _, writer in opened:
        writer.write(request)
    await times(work.begun, number)
    for _, writer in opened:
        await close(writer)


@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(post("/v1/query", QUESTION), id="a plain question"),
        pytest.param(post("/v1/chat/completions", CHAT), id="a chat"),
        pytest.param(post("/v1/chat/completions", {**CHAT, "stream": True}), id="a stream without its first piece"),
        pytest.param(
            post("/v1/chat/completions", CHAT, padding=300_000), id="a body for which the server pauses reading"
        ),
    ],
)
async def test_four_leavers_free_all_four_places(busy: StubReplica, server: Server, work: Work, request_bytes: bytes):
    await leave(server, work, request_bytes)
    await times(work.cancelled, 4)
    busy.rag.action = None

    assert busy.service.in_flight() == 0
    assert (
        await server.status(post("/v1/query", QUESTION).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) == 200
    )


async def test_a_leaver_ends_nobody_elses_question(busy: StubReplica, server: Server, work: Work):
    reader, writer = await server.open()
    writer.write(post("/v1/query", QUESTION))
    await times(work.begun, 1)

    await leave(server, work, post("/v1/query", QUESTION), number=3)
    await times(work.cancelled, 3)

    assert busy.service.in_flight() == 1
    assert not reader.at_eof()
    await close(writer)
    await times(work.cancelled, 1)


async def test_a_leaver_is_counted_as_such_and_not_as_an_error(busy: StubReplica, server: Server, work: Work, caplog):
    caplog.set_level("INFO", "ha_rag")
    await leave(server, work, post("/v1/query", QUESTION), number=1)
    await times(work.cancelled, 1)

    assert 'status="499"' in busy.service.metrics.text().decode()
    assert [record.levelname for record in caplog.records if record.levelname not in ("INFO", "DEBUG")] == []
    assert "the client disconnected" in caplog.text


class SlowDocuments(StubDocuments):
    """Adds a document once told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.goes_on, self.added = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def add(self, *given: Any, **more: Any) -> AddedDocument:
        self.begun.set()
        await self.goes_on.wait()
        indexed = await super().add(*given, **more)
        self.added.set()
        return indexed


async def test_a_document_is_added_even_if_its_sender_leaves():
    documents = SlowDocuments()
    async with serving(ConnectionLimits(), StubReplica(documents=documents)) as server, asyncio.timeout(PATIENCE_S):
        _, writer = await server.open()
        writer.write(post("/v1/documents", {"id": "a", "text": "Text."}))
        await documents.begun.wait()
        await close(writer)
        documents.goes_on.set()
        await documents.added.wait()

    assert documents.texts == {"a": "Text."}


async def test_the_next_question_on_the_same_connection_is_answered(busy: StubReplica, server: Server):
    busy.rag.action = None
    reader, writer = await server.open()
    for _ in range(2):
        writer.write(post("/v1/query", QUESTION))
        async with asyncio.timeout(PATIENCE_S):
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split()[0])
            assert b" 200 " in head
            assert json.loads(await reader.readexactly(length))["answer"]
    await close(writer)


async def asked_by_one_who_leaves(app):
    """One request, whose client disconnects as soon as it is sent."""
    messages = [{"type": "http.request", "body": b"{}"}, {"type": "http.disconnect"}]

    async def receive():
        return messages.pop(0)

    async def send(message):
        raise AssertionError("there is nobody to reply to")

    watched = CancelOnDisconnect(app, watched_after_s=0.0)
    await watched(AppClient(app)._scope("POST", "/v1/query", {}), receive, send)


async def test_a_stop_of_the_server_during_a_disconnect_is_not_lost():
    """Two cancellations: the client's disconnect, and the server's."""
    begun = asyncio.Event()

    async def app(scope, receive, send):
        await receive()
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            stopping.cancel()
            await asyncio.sleep(0)

    stopping = asyncio.ensure_future(asked_by_one_who_leaves(app))
    await begun.wait()
    await asyncio.wait({stopping}, timeout=PATIENCE_S)

    assert stopping.cancelled()


async def test_a_request_that_ends_by_itself_as_its_client_leaves_leaves_no_cancellation_behind():
    async def app(scope, receive, send):
        await receive()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return  # a library that swallows it

    await asked_by_one_who_leaves(app)

    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
