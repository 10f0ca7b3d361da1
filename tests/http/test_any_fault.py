"""Whatever any service raises, in any route: the reply is JSON in the form of every other error."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from fastapi import HTTPException
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Mount, Route

from ha_rag import errors
from ha_rag.http.app import build_app, endpoints
from ha_rag.http.dashboard_app import build_dashboard_app
from ha_rag.http.service import DashboardService, Service
from ha_rag.monitor.watcher import Watcher
from ha_rag.telemetry.metrics import Metrics
from tests.http.app_client import AppClient, Reply, StubCircuits, StubDocuments, StubRag, StubReplica
from tests.waiting import PATIENCE_S


class Panic(BaseException):
    """As pyo3 raises for a panic in Rust: no Exception."""


def invalid_model() -> ValidationError:
    class Model(BaseModel):
        field: int

    try:
        Model.model_validate({})
    except ValidationError as error:
        return error
    raise AssertionError


FAULTS: list[BaseException] = [
    RuntimeError("a"), ValueError("é\ud800"), KeyError("x"), OSError(28, "No space left on device"),
    MemoryError(), RecursionError(), AssertionError(), NotImplementedError(), ZeroDivisionError(), EOFError(),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), StopAsyncIteration(), StopIteration(), TimeoutError(),
    ConnectionResetError(), ExceptionGroup("two", [ValueError(), OSError()]), BaseExceptionGroup("p", [Panic()]),
    HTTPException(400), HTTPException(404), HTTPException(500), ClientDisconnect(), asyncio.CancelledError(),
    asyncio.InvalidStateError(), asyncio.QueueFull(), Panic("a thread panicked"), invalid_model(),
    errors.ServiceError("\udcff"), errors.ThrottledError("slow", retry_after_s=float("inf")),
    errors.LedgerRefusedError("NOPERM"), errors.IndexStoreError("a\0b"), errors.ConfigurationError("no"),
]  # fmt: skip

BODIES: dict[str, Any] = {
    "/v1/query": {"question": "How?"},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "How?"}]},
    "/v1/documents": {"text": "Bees hum."},
    "/v1/feedback": {"answer": "a1", "score": 1},
    "/v1/experiment/end": {"arm": "large"},
    "/v1/experiment/resume": {},
    "/v1/circuits/{name:circuit}/override": {"mode": "open", "reason": "no"},
}


class Faulty:
    """A service whose every method raises `fault`."""

    def __init__(self, fault: BaseException | None = None) -> None:
        self.fault = fault

    def __getattr__(self, name: str) -> Any:
        def raises(*_: Any, **__: Any) -> Any:
            assert self.fault is not None
            raise self.fault

        return raises


class Unreadable(Faulty):
    """A service whose every attribute raises `fault`, once there is one."""

    def __getattribute__(self, name: str) -> Any:
        fault = object.__getattribute__(self, "fault")
        if fault is not None:
            raise fault
        return super().__getattribute__(name)


@cache
def faulty(service: str, kind: str = "Faulty") -> tuple[Faulty, AppClient]:
    """A replica one of whose services is a Faulty, and that service."""
    circuits, broken = StubCircuits(), {"Faulty": Faulty, "Unreadable": Unreadable}[kind]()
    whole = {"rag": StubRag(), "circuits": circuits, "documents": StubDocuments(), "watcher": Watcher(circuits)}
    parts: dict[str, Any] = {**whole, "metrics": Metrics(), service: broken}
    return broken, AppClient(build_app(Service(**parts)))


def operations(routes: list[BaseRoute]) -> Iterator[tuple[str, str]]:
    seen = set()
    for route in routes:
        if isinstance(route, Route) and "/assets" not in route.path:
            seen |= {(method, route.path) for method in route.methods or () if method != "HEAD"}
    return iter(sorted(seen))


OPERATIONS = list(operations(endpoints(StubReplica().service).every_route()))


async def called(client: AppClient, method: str, path: str) -> Reply:
    filled = re.sub(r"\{\w+(:path)?\}", "embedder.primary", path)
    async with asyncio.timeout(PATIENCE_S):
        return await client.call(method, filled, BODIES.get(path) if method in ("POST", "PUT") else None)


def check_form(reply: Reply) -> None:
    if reply.status >= 400:
        assert reply.headers["content-type"] == "application/json"
        kind, message, _ = reply.error
        assert kind
        assert message
        assert reply.headers["x-request-id"]


def kind_of(fault: BaseException) -> str:
    return f"{type(fault).__name__}-{FAULTS.index(fault)}"


def test_every_operation_is_tried():
    assert {path for method, path in OPERATIONS if method in ("POST", "PUT")} == set(BODIES)
    assert ("GET", "/v1/fleet") in OPERATIONS
    assert ("DELETE", "/v1/circuits/{name:circuit}/override") in OPERATIONS


SERVICES = ("rag", "circuits", "documents", "watcher", "metrics", "feedback", "experiment")
CASES = [
    pytest.param(fault, service, id=f"{service}-{kind_of(fault)}")
    for service in SERVICES
    for fault in FAULTS
    # Metrics are counted after the reply, where only a server that stops cancels.
    if (service, type(fault)) != ("metrics", asyncio.CancelledError)
]


@pytest.mark.parametrize("kind", ["Faulty", "Unreadable"])
@pytest.mark.parametrize(("fault", "service"), CASES)
async def test_a_fault_in_any_service_is_json_in_every_route(caplog, fault: BaseException, service: str, kind: str):
    caplog.set_level(logging.CRITICAL)
    broken, client = faulty(service, kind)
    object.__setattr__(broken, "fault", fault)
    replies = [await called(client, *operation) for operation in OPERATIONS if operation != EVENTS]
    for reply in replies:
        check_form(reply)
    assert any(reply.status >= 400 for reply in replies)


EVENTS = ("GET", "/v1/events")
"""A stream without an end, whose status has been sent before anything is asked of a service."""


@pytest.mark.parametrize("fault", FAULTS, ids=kind_of)
async def test_a_stream_that_fails_before_its_first_piece_is_json(caplog, fault: BaseException):
    caplog.set_level(logging.CRITICAL)
    broken, client = faulty("rag")
    broken.fault = fault
    reply = await client.call("POST", "/v1/chat/completions", {**BODIES["/v1/chat/completions"], "stream": True})
    assert reply.status >= 400
    check_form(reply)


@pytest.mark.parametrize("fault", FAULTS, ids=kind_of)
async def test_a_fault_in_a_dashboard_is_json_in_every_route(caplog, fault: BaseException):
    caplog.set_level(logging.CRITICAL)
    circuits, watcher = Unreadable(), Unreadable()
    service = DashboardService(circuits=circuits, watcher=watcher)  # type: ignore[arg-type]  # they stand in for any
    client = AppClient(build_dashboard_app(service))
    for broken in (circuits, watcher):
        object.__setattr__(broken, "fault", fault)
    for path in ("/v1/circuits", "/v1/circuits/embedder.primary", "/v1/fleet", "/health"):
        reply = await called(client, "GET", path)
        assert reply.status >= 400
        check_form(reply)


@pytest.mark.parametrize("fault", [OSError(5, "Input/output error"), PermissionError(13, "no"), Panic()], ids=repr)
async def test_a_fault_in_static_files_is_json_too(client, monkeypatch, caplog, fault: BaseException):
    caplog.set_level(logging.CRITICAL)

    def fails(*_: object) -> None:
        raise fault

    monkeypatch.setattr("ha_rag.http.pages.Assets.lookup_path", fails)

    reply = await client.call("GET", "/web/main.js")

    assert reply.status >= 400
    check_form(reply)


async def test_a_range_of_a_static_file_is_the_whole_file(client):
    whole = await client.call("GET", "/web/main.js")
    for asked in ("bytes=9-1", "bytes=0-0", "bytes=" + ",".join(f"{n}-" for n in range(2000)), "lines=1"):
        assert (await client.call("GET", "/web/main.js", headers={"range": asked})).body == whole.body


async def test_an_unexpected_error_is_logged_once(caplog):
    broken, client = faulty("circuits")
    broken.fault = RuntimeError("inside")
    with caplog.at_level(logging.ERROR):
        reply = await client.call("GET", "/v1/circuits", headers={"x-request-id": "abc-1"})

    assert (reply.status, reply.error[0]) == (500, "internal")
    assert [record.message for record in caplog.records] == ["request abc-1 failed: GET /v1/circuits"]


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
async def test_what_ends_the_process_is_no_error_of_a_request(end: type[BaseException]):
    broken, client = faulty("rag")
    broken.fault = end()
    with pytest.raises(end):
        await client.call("POST", "/v1/query", {"question": "How?"})


def test_every_mount_is_one_of_static_files():
    mounts = [route.path for route in endpoints(StubReplica().service).every_route() if isinstance(route, Mount)]
    assert sorted(mounts) == ["/docs/assets", "/web"]
