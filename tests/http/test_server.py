"""A real server on a loopback port, and how it drains."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from ha_rag.errors import ConfigurationError
from ha_rag.http.server import DrainingServer, listening_socket
from tests.http.app_client import StubReplica
from tests.waiting import PATIENCE_S


@asynccontextmanager
async def served(
    replica: StubReplica, *, notice_s: float = 0.0, finish_s: float = 5.0
) -> AsyncIterator[tuple[DrainingServer, str]]:
    def drain() -> None:
        replica.service.draining = True

    with listening_socket("127.0.0.1", 0) as listening:
        server = DrainingServer(
            replica.app, host="127.0.0.1", port=0, finish_s=finish_s, on_draining=drain, notice_s=notice_s
        )
        running = asyncio.create_task(server.serve([listening]))
        try:
            yield server, f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await running


async def test_requests_in_flight_are_finished_before_the_server_stops(replica):
    entered, leave = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await leave.wait()

    replica.rag.action = wait
    async with served(replica) as (server, url), aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.post(f"{url}/v1/query", json={"question": "How?"}))
        await entered.wait()
        server.drain()
        leave.set()
        async with await asking as reply:
            assert reply.status == 200
            assert (await reply.json())["answer"] == "By a probe [1]."


async def test_it_reports_not_ready_before_it_stops_listening(replica):
    async with served(replica, notice_s=60.0) as (server, url), aiohttp.ClientSession() as session:
        async with session.get(f"{url}/health/ready") as before:
            assert before.status == 200
        server.drain()
        async with session.get(f"{url}/health/ready") as after:
            assert after.status == 503
        async with session.post(f"{url}/v1/query", json={"question": "How?"}) as reply:
            assert reply.status == 200


async def test_a_request_that_hangs_is_cancelled_after_the_grace_period(replica):
    entered = asyncio.Event()

    async def hangs() -> None:
        entered.set()
        await asyncio.Event().wait()

    replica.rag.action = hangs
    async with served(replica, finish_s=1.0) as (server, url), aiohttp.ClientSession() as session:
        asking = asyncio.create_task(session.post(f"{url}/v1/query", json={"question": "How?"}))
        await entered.wait()
        server.drain()
        async with await asyncio.wait_for(asking, PATIENCE_S) as reply:
            assert reply.status == 503
            assert (await reply.json())["error"]["type"] == "draining"


async def test_a_body_that_is_too_large_is_answered_while_it_is_being_sent(replica):
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1_000_000

    async with served(replica) as (_, url), aiohttp.ClientSession() as session:
        headers = {"content-type": "application/json"}
        async with session.post(f"{url}/v1/query", data=endless(), headers=headers) as reply:
            assert reply.status == 413
            assert (await reply.json())["error"]["type"] == "too_large"


async def test_there_is_no_server_header(replica):
    async with (
        served(replica) as (_, url),
        aiohttp.ClientSession() as session,
        session.get(f"{url}/health/live") as reply,
    ):
        assert "server" not in reply.headers


def test_a_port_in_use_is_a_clear_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(ConfigurationError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use"):
            listening_socket("127.0.0.1", port)


def test_an_address_of_another_machine_is_a_clear_error():
    with pytest.raises(ConfigurationError, match=r"cannot listen on 192\.0\.2\.1:0"):
        listening_socket("192.0.2.1", 0)
