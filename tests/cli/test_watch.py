"""`ha-rag watch`: once, as JSON, and where nobody answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import redis
from typer.testing import Result

from ha_rag.circuit.policy import CircuitPolicy
from tests.fleet.proxy import Loss, Route
from tests.hostile_text import HOSTILE, assert_harmless
from tests.monitor.pictures import circuit, picture
from tests.patient import patient_registry
from tests.waiting import until

FLEET = ("GET", "/v1/fleet")


def wire(shown) -> Any:
    return orjson.loads(orjson.dumps(shown))


def test_once_shows_the_fleet_and_ends(run, replica):
    replica.replies[FLEET] = (200, wire(picture(circuits=(circuit(name="embedder.primary", state="open"),))))

    result = run("watch", "--once", "--url", replica.url)

    assert result.exit_code == 0
    assert result.stdout.startswith("◐ All questions answered")
    assert "embedder.primary open" in result.stdout.splitlines()[2]


def test_json_is_what_the_fleet_told(run, replica):
    told = wire(picture())
    replica.replies[FLEET] = (200, told)

    result = run("watch", "--once", "--json", "--url", replica.url)

    assert json.loads(result.stdout) == told


def test_a_newer_replica_may_tell_more_than_is_shown(run, replica):
    replica.replies[FLEET] = (200, wire(picture()) | {"news": 1})

    assert run("watch", "--once", "--url", replica.url).exit_code == 0


def test_what_is_no_fleet_is_said_in_a_sentence(run, replica):
    replica.replies[FLEET] = (200, {"replicas": 7})

    result = run("watch", "--once", "--url", replica.url)

    assert result.exit_code == 1
    assert "cannot be read" in result.stderr


def test_where_nobody_answers_the_exit_code_says_so(run):
    result = run("watch", "--once", "--url", "http://127.0.0.1:1")

    assert result.exit_code == 1
    assert "nothing answers at http://127.0.0.1:1" in result.stderr


@asynccontextmanager
async def one_replica(url: str) -> AsyncIterator[None]:
    """A replica with one circuit, which its heartbeat has named."""
    async with patient_registry(url, "rag-1") as circuits:
        circuits.breaker("payments", CircuitPolicy())
        assert circuits.ledger is not None
        async with asyncio.timeout(10):
            while not await circuits.ledger.known_circuits():
                pass  # each look is a round trip; the next heartbeat names the circuit
        yield


@asynccontextmanager
async def wire_to(url: str) -> AsyncIterator[Route]:
    """A wire to this Redis, which can be slowed and cut."""
    route = Route(int(url.rpartition(":")[2].partition("/")[0]))
    await route.listen()
    try:
        yield route
    finally:
        await route.refuse()
        await until(lambda: not route.is_used)


def assert_one_replica(result: Result) -> None:
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert [one["name"] for one in told["circuits"]] == ["payments"]
    assert [one["name"] for one in told["replicas"]] == ["rag-1"]


async def test_straight_from_redis_it_sees_the_fleet_and_is_no_replica_of_it(run, any_redis_url):
    async with one_replica(any_redis_url):
        result = await asyncio.to_thread(run, "watch", "--once", "--json", "--url", any_redis_url)

    assert_one_replica(result)


async def test_a_redis_that_is_slow_to_reply_is_waited_for(run, any_redis_url):
    async with one_replica(any_redis_url), wire_to(any_redis_url) as wire:
        await wire.set(delay_s=0.4, frozen=None, refusing=None)
        result = await asyncio.to_thread(run, "watch", "--once", "--json", "--url", f"redis://127.0.0.1:{wire.port}/0")

    assert_one_replica(result)


async def test_a_connection_that_breaks_off_is_made_again(run, any_redis_url):
    async with one_replica(any_redis_url), wire_to(any_redis_url) as wire:
        wire.lose(Loss(b"ZRANGE"))
        result = await asyncio.to_thread(run, "watch", "--once", "--json", "--url", f"redis://127.0.0.1:{wire.port}/0")

    assert_one_replica(result)


async def test_circuits_that_may_not_be_read_are_an_error_and_not_none(run, redis_server):
    with redis.Redis.from_url(redis_server.url) as client:
        may = ["+@all", "-eval"]
        client.acl_setuser("eye", enabled=True, passwords=["+pw"], keys=["*"], channels=["*"], commands=may)
        try:
            async with one_replica(redis_server.url):
                url = redis_server.url.replace("redis://", "redis://eye:pw@")
                result = await asyncio.to_thread(run, "watch", "--once", "--json", "--url", url)
        finally:
            client.acl_deluser("eye")

    assert result.exit_code == 1
    assert result.stdout == ""
    assert "this Redis answers, but the fleet cannot be read: NOPERM" in result.stderr


def test_a_redis_that_does_not_answer_is_said_in_a_sentence(run):
    result = run("watch", "--once", "--url", "redis://127.0.0.1:1/0")

    assert result.exit_code == 1
    assert "this Redis does not answer" in result.stderr


def test_hostile_names_are_harmless_as_a_picture_and_as_json(run, replica):
    told = wire(picture(circuits=(circuit(name=HOSTILE, state="open", reason=HOSTILE),), told_by=HOSTILE))
    replica.replies[FLEET] = (200, told)

    drawn = run("watch", "--once", "--url", replica.url)
    as_json = run("watch", "--once", "--json", "--url", replica.url)

    assert_harmless(drawn.stdout)
    assert_harmless(as_json.stdout)
    assert json.loads(as_json.stdout) == told
