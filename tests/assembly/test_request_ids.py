"""Request ids and traces are propagated to services, log lines and probes."""

from __future__ import annotations

import logging

import pytest

from ha_rag.simulation.fault_modes import FaultMode
from ha_rag.simulation.faults import Fault, Target
from ha_rag.telemetry.logs import ConsoleLines
from tests.assembly.services import replica_over_services
from tests.http.app_client import AppClient
from tests.waiting import until

QUESTION = {"question": "Who is my doctor?"}
PARENT = f"00-{'4b' * 16}-{'f0' * 8}-01"


class Console(logging.Handler):
    """What stands on the console."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(ConsoleLines())

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def console():
    handler, root = Console(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def arrivals(provider):
    return provider.provider.counts.as_json(100)["arrivals"]


async def test_every_service_call_carries_the_request_id_and_the_trace(tmp_path):
    async with replica_over_services(tmp_path) as (replica, provider):
        street = AppClient(replica.app)
        await street.call("POST", "/v1/query", QUESTION, headers={"x-request-id": "abc-1", "traceparent": PARENT})
        heard = arrivals(provider)

    assert [(one["target"], one["request"], one["traceparent"]) for one in heard] == [
        ("embeddings", "abc-1", PARENT),
        ("chat", "abc-1", PARENT),
    ]


async def test_an_invalid_trace_context_is_not_propagated(tmp_path):
    async with replica_over_services(tmp_path) as (replica, provider):
        reply = await AppClient(replica.app).call("POST", "/v1/query", QUESTION, headers={"traceparent": "00-nonsense"})
        heard = arrivals(provider)

    assert {(one["request"], one["traceparent"]) for one in heard} == {(reply.headers["x-request-id"], "")}


async def test_log_lines_of_a_request_carry_its_id(tmp_path, console):
    async with replica_over_services(tmp_path) as (replica, provider):
        provider.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR))
        await AppClient(replica.app).call("POST", "/v1/query", QUESTION, headers={"x-request-id": "abc-1"})

    opened = [line for line in console.lines if "embedder.primary: closed -> open" in line]
    answered = [line for line in console.lines if " answer " in line]
    assert ["[abc-1]" in line for line in opened + answered] == [True, True]
    assert "embedder secondary" in answered[0]
    assert not any("doctor" in line for line in console.lines)


async def test_a_probe_carries_the_id_of_the_request_that_triggered_it(tmp_path):
    async with replica_over_services(tmp_path) as (replica, provider):
        street = AppClient(replica.app)
        provider.provider.faults.start(Target.EMBEDDINGS, Fault(mode=FaultMode.ERROR))
        await street.call("POST", "/v1/query", QUESTION, headers={"x-request-id": "opened"})
        provider.provider.faults.end_all()
        await until(lambda: replica.circuits.breaker("embedder.primary").state != "open")
        await street.call("POST", "/v1/query", QUESTION, headers={"x-request-id": "probed"})

        def heard() -> list[str]:
            return [one["request"] for one in arrivals(provider) if one["target"] == "embeddings"]

        await until(lambda: len(heard()) == 2)  # a grant that comes too late for its question is used all the same
        assert heard() == ["opened", "probed"]
