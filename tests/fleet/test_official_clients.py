"""OpenAI's clients for Python and Node, and LangChain's, against a fleet whose model speaks each dialect and fails.

Whatever the model does, a plain question is answered, and a stream ends with a finish reason or with an error that the
client raises: no client takes a broken answer for a whole one.
"""

from __future__ import annotations

import pytest

from ha_rag.simulation.fault_modes import FaultMode
from tests.fleet.official_clients import CLIENTS, Seen
from tests.fleet.processes import Fleet

QUICK = ("error", "error-event", "hang", "length", "parts", "truncate", "whole")
"""Modes that every run tries; the others are for `make test-faults`."""

MODES = [pytest.param(m.value, id=m.value, marks=() if m.value in QUICK else pytest.mark.faults) for m in FaultMode]
FINISH_REASONS = {"stop", "length"}

clients = pytest.mark.parametrize("client", CLIENTS)


async def seen_by(client: str, fleet: Fleet) -> Seen:
    return await CLIENTS[client](f"{fleet.replicas[0].url}/v1")


@clients
async def test_a_client_reads_whole_answers_and_streams(fleet: Fleet, client: str):
    seen = await seen_by(client, fleet)

    assert "[1]" in seen["plain"]["text"]
    assert (seen["stream"]["text"], seen["stream"]["error"]) == (seen["plain"]["text"], None)
    assert (seen["plain"]["finish"], seen["stream"]["finish"]) == ("stop", "stop")


@pytest.mark.parametrize("client", ["python", "node"])
async def test_the_rest_of_the_surface_is_as_openais_clients_expect_it(fleet: Fleet, client: str):
    seen = await seen_by(client, fleet)

    assert seen["helper"] == {"text": seen["plain"]["text"], "finish": "stop"}
    assert (seen["models"], seen["retrieved"]) == (["ha_rag"], "ha_rag")
    assert seen["unknown"] == {"status": 404, "param": "model"}
    assert seen["strict"] == {"status": 422, "param": "n"}
    assert seen["plain"]["ignored"] == ["temperature"]


@clients
async def test_a_client_reads_the_usage_that_the_model_reports(fleet: Fleet, client: str):
    usage = (await seen_by(client, fleet))["plain"]["usage"]

    assert usage["total_tokens"] == sum(tokens for name, tokens in usage.items() if name in COUNTS) > 0


COUNTS = {"prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"}


@pytest.mark.parametrize("mode", MODES)
async def test_no_client_takes_a_broken_answer_for_a_whole_one(fleet: Fleet, mode: str):
    for client in CLIENTS:
        if client == "node" and mode not in QUICK:
            continue  # its process takes a second to start, and it reads the same bytes
        await fleet.provider.fail("chat", mode, delay_s=0.05)
        seen = await seen_by(client, fleet)

        assert seen["plain"]["text"].strip(), client
        assert seen["plain"]["finish"] in FINISH_REASONS
        assert seen["stream"]["error"] or seen["stream"]["finish"] in FINISH_REASONS, (client, seen)
        if mode == "length":
            assert (seen["plain"]["finish"], seen["stream"]["finish"]) == ("length", "length"), client
