"""`ha-rag watch`: once, as JSON, and where nobody answers."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson

from ha_rag.breaker.registry import CircuitRegistry
from ha_rag.circuit.policy import CircuitPolicy
from tests.hostile_text import HOSTILE, assert_harmless
from tests.monitor.pictures import circuit, picture

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


async def test_straight_from_redis_it_sees_the_fleet_and_is_no_replica_of_it(run, any_redis_url):
    async with CircuitRegistry.connect(any_redis_url, replica="rag-1") as circuits:
        circuits.breaker("payments", CircuitPolicy())
        assert circuits.ledger is not None
        async with asyncio.timeout(10):
            while not await circuits.ledger.known_circuits():
                pass  # each look is a round trip; the next heartbeat names the circuit

        result = await asyncio.to_thread(run, "watch", "--once", "--json", "--url", any_redis_url)

    told = json.loads(result.stdout)
    assert [one["name"] for one in told["circuits"]] == ["payments"]
    assert [one["name"] for one in told["replicas"]] == ["rag-1"]


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
